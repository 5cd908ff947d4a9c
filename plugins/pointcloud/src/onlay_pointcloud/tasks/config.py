"""Settings of the tasks that this package brings; imports no torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, field_validator, model_validator

from onlay.settings import Config


class DecoderConfig(Config):
    """What the tasks have that read groups of points by Point-MAE's decoder."""

    name: str
    """The task."""

    global_features: Literal["pool", "prompts"] = "pool"
    """What describes a cloud as a whole: `pool`, the maximum and the mean over its groups at each
    level, as in Point-MAE; or `prompts`, as DAPT's authors say of theirs, the tokens that the
    adapter inserted instead of the groups. They published no code; our reading: the prompts as they
    leave the last norm, in order of age, are dealt to the levels (of 12 prompts the first four to
    the first level), and the maximum and the mean over each level's are taken."""

    levels: tuple[NonNegativeInt, ...] | None = None
    """Blocks, from 0, whose groups are read; default: the last one of each third of the depth,
    which is 3, 7, 11 of 12."""

    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Dropout while training, behind the first layer on joined features."""

    @field_validator("levels")
    @classmethod
    def _rising(cls, levels: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if levels is not None and (not levels or list(levels) != sorted(set(levels))):
            raise ValueError("must be block indices from low to high, each once")
        return levels


class PartSegmentationConfig(DecoderConfig):
    """A part for each point: Point-MAE's decoder, cross-entropy.

    Best measured by `instance_miou`, the mean over clouds; `class_miou` is the mean over
    categories. The authors' script steps the optimizer twice for each batch, with one gradient;
    that is not offered.
    """

    name: Literal["part_segmentation"] = "part_segmentation"
    """This task."""

    categories: NonNegativeInt = 16
    """Categories of shapes, of which the head is told each cloud's: 16 in ShapeNetPart. 0 for data
    without categories, whose clouds have three columns; with categories the fourth column is the
    category's index."""


class PointSegmentationConfig(DecoderConfig):
    """A class for each point: Point-MAE's decoder.

    Judged by `miou`, the mean over classes of intersection over union, of the confusion matrix of
    all points; `iou_NAME` is that of one class. Points without a class (-1) count nowhere.
    """

    name: Literal["point_segmentation"] = "point_segmentation"
    """This task."""

    columns: NonNegativeInt = 0
    """Further columns of the clouds, such as colours (`data.preprocess.extra`), which the decoder
    reads beside the coordinates, each normalised over the batch. The backbones of this package
    look at coordinates alone."""

    loss: Literal["ce", "ce_dice", "dice", "focal"] = "ce"
    """Of all points that have a class: `ce`, cross-entropy; `dice`, 1 minus the mean, over the
    classes that a batch has, of the soft Dice coefficient (Milletari et al. 2016); `ce_dice`, the
    sum of both; `focal`, cross-entropy that looks at points which are found hard (Lin et al. 2017;
    of the softmax)."""

    gamma: NonNegativeFloat = 2.0
    """Of `focal`: a point whose class is found with probability p counts (1 - p)^gamma."""

    class_weights: Literal["none", "balanced"] | tuple[NonNegativeFloat, ...] = "none"
    """Weight of each class's points in `ce`, in that part of `ce_dice`, and in `focal`: `balanced`
    is n / (classes · n_class) over the points of the training part, a list gives one weight for
    each class in the order of the labels. The loss of a step is the weighted mean over all of its
    points, over accumulated batches and processes."""

    @model_validator(mode="after")
    def _of_the_loss(self) -> Self:
        if self.loss != "focal" and self.gamma != type(self).model_fields["gamma"].default:
            raise ValueError(f"`gamma` belongs to `loss: focal`, and the loss is `{self.loss}`")
        if self.loss == "dice" and self.class_weights != "none":
            raise ValueError("`class_weights` belong to `ce`, `ce_dice` and `focal`, not to `dice`")
        return self
