"""Settings of semantic segmentation; imports no torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, NonNegativeFloat, model_validator

from onlay_dense.config import DenseConfig


class SegmentationConfig(DenseConfig):
    """A class for each pixel: a decoder, one 1 x 1 convolution, bilinear to the picture's size.

    Best measured by `miou`, of the confusion matrix of all that is judged. Pixels without a class
    (void) have no part in losses, class weights and metrics.
    """

    name: Literal["segmentation"] = "segmentation"
    """This task."""
    loss: Literal["ce", "ce_dice", "dice", "focal"] = "ce"
    """`ce`, the cross-entropy of pixels; `dice`, 1 - the soft Dice coefficient of each class over a
    batch (Milletari et al. 2016), the mean over all classes, to which those that a batch does not
    have add nothing; `ce_dice`, the sum of both; `focal`, cross-entropy that looks at pixels which
    are found hard (Lin et al. 2017; of the softmax)."""
    gamma: NonNegativeFloat = 2.0
    """Of `focal`: a pixel whose class is found with probability p counts (1 - p)^gamma."""
    class_weights: Literal["none", "balanced"] | tuple[NonNegativeFloat, ...] = "none"
    """Weight of each class in `ce`, in that part of `ce_dice`, and in `focal`: `balanced` is
    n / (classes · n_class) over the pixels of the training part, a list gives one weight for each
    class in the order of the labels. The loss of a step is the weighted mean over all of its
    labelled pixels, over accumulated batches and processes."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout of whole channels of the decoder's map while training."""

    @model_validator(mode="after")
    def _of_the_loss(self) -> Self:
        if self.loss != "focal" and self.gamma != type(self).model_fields["gamma"].default:
            raise ValueError(f"`gamma` belongs to `loss: focal`, and the loss is `{self.loss}`")
        if self.loss == "dice" and self.class_weights != "none":
            raise ValueError("`class_weights` belong to `ce`, `ce_dice` and `focal`, not to `dice`")
        return self
