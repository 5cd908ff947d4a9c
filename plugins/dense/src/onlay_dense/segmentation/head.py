"""Semantic segmentation: a trunk, one 1 x 1 convolution, bilinear to the picture's size.

Shapes: B batch, C classes, D width, H and W pixels, h and w a map's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from onlay.data import EachTarget
from onlay.errors import ConfigError, DataError, OnlayError
from onlay.host.firstparty import install
from onlay.reports import Measure
from onlay.task import Constant
from onlay.tasks.class_map_report import class_map_report, confusions
from onlay.tasks.class_maps import measures
from onlay.tasks.class_weights import balanced_weights, starting_weights
from onlay.tasks.constants import places_of, ranked
from onlay_dense.segmentation.answer import SegmentationAnswer
from onlay_dense.segmentation.losses import checked_masks, dice_loss, pixel_loss, pixel_weights
from onlay_dense.trunk import Trunk, build_trunk

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.data import Splits
    from onlay.features import Features
    from onlay.host import PluginHost
    from onlay.reports import Report
    from onlay_dense.segmentation.config import SegmentationConfig


def build(
    config: SegmentationConfig, anatomy: Anatomy, labels: Sequence[str], host: PluginHost
) -> SegmentationHead:
    """A head on maps of any backbone that has some."""
    return SegmentationHead(
        config, build_trunk(config.decoder, config.levels, anatomy, host), labels
    )


class SegmentationHead(nn.Module):
    """Logits (B, C, H, W)."""

    main_metric = "miou"
    target_kinds, output_kinds = "mask", "map"
    class_weights: Tensor | None

    def __init__(self, config: SegmentationConfig, trunk: Trunk, labels: Sequence[str]) -> None:
        super().__init__()
        self.config, self.labels = trunk.resolved(config), tuple(labels)
        self.levels = trunk.levels
        self.trunk, self.dropout = trunk, nn.Dropout2d(config.dropout)
        self.classifier = nn.Conv2d(trunk.width, len(self.labels), 1)
        weights_C = starting_weights(config.class_weights, self.labels)
        balanced = config.class_weights == "balanced"
        self.register_buffer("class_weights", weights_C, persistent=balanced)
        self.weighed = not balanced

    @property
    def parts(self) -> Mapping[str, nn.Module]:
        """Neck and decoder, which reports tell apart."""
        return self.trunk.parts

    @property
    def measures(self) -> Mapping[str, Measure]:
        """Every metric is a share."""
        return measures(self.labels)

    def prepare(self, splits: Splits) -> None:
        """Balance the class weights, if asked for, by the pixels of the training part's masks as
        they are stored, each of which is read once for it.

        Raises:
            DataError: a single class, of which nothing can be learnt.
        """
        if len(self.labels) < 2:
            raise DataError(
                f"the data has one class only, `{self.labels[0]}`: segmentation needs two or more"
            )
        if self.config.class_weights == "balanced":
            counts = places_of(EachTarget(splits.train), len(self.labels)).tolist()
            named = dict(zip(self.labels, counts, strict=True))
            assert self.class_weights is not None
            self.class_weights.copy_(balanced_weights(named, self.labels))

    def forward(self, features: Features) -> Tensor:
        """Logits (B, C, H, W), on the size of the inputs."""
        map_BDhw = self.dropout(self.trunk(features))
        return self.trunk.to_pixels(self.classifier(map_BDhw), features.inputs)

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """Of logits (B, C, H, W) and class numbers (B, H, W), -1 for void, scalar; 0 where no pixel
        has a class.

        Raises:
            DataError: targets that are no such masks.
        """
        masks_BHW = checked_masks(output, targets)
        if self.config.loss == "dice":
            return dice_loss(output, masks_BHW)
        gamma = self.config.gamma if self.config.loss == "focal" else 0.0
        found = pixel_loss(output, masks_BHW, self._weights(), gamma)
        return found + dice_loss(output, masks_BHW) if self.config.loss == "ce_dice" else found

    def weight_of(self, targets: Tensor) -> Tensor:
        """What a batch counts beside others: its labelled pixels, each as much as its class weighs,
        but where Dice is added, which no class weighs."""
        weights_C = None if self.config.loss == "ce_dice" else self._weights()
        return pixel_weights(targets, weights_C).sum()

    def metrics(self) -> nn.Module:
        """`miou`, `accuracy`, `mean_class`, `fw_iou`, and `iou_NAME` of each class that is there or
        found; see `onlay.tasks.class_maps.scores`."""
        try:
            from torchmetrics import MetricCollection

            from onlay.tasks.class_map_metrics import ClassMaps
        except ImportError as error:
            raise OnlayError(f"metrics need `onlay-train`: {install('onlay-train')}") from error
        return MetricCollection({"maps": ClassMaps(self.labels)})

    def constant(self, targets: Iterable[Any]) -> Constant:
        """The class that most pixels of these masks have."""
        logits_C = ranked(places_of(targets, len(self.labels)))

        def outputs(masks_BHW: Tensor) -> Tensor:
            count, *sides = masks_BHW.shape
            return logits_C[:, None, None].expand(count, -1, *sides)

        return Constant("most frequent class of pixels", outputs)

    def predict(self, output: Tensor) -> list[SegmentationAnswer]:
        """The likeliest class of each pixel."""
        maps_BHW = output.detach().argmax(1).cpu()
        return [SegmentationAnswer(classes_HW, self.labels) for classes_HW in maps_BHW]

    def truths(self, targets: Tensor) -> list[SegmentationAnswer]:
        """The class of each pixel, -1 for void."""
        return [SegmentationAnswer(classes_HW.long().cpu(), self.labels) for classes_HW in targets]

    def condense(self, output: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """What a report needs of a batch: the confusion matrix of each picture (B, C, C), and how
        many of its pixels have a class (B,)."""
        return confusions(output.argmax(1), targets, len(self.labels))

    def report(self, outputs: Tensor, targets: Tensor) -> Report:
        """Of what `condense` made of all pictures; see `onlay.tasks.class_map_report`."""
        return class_map_report(outputs, self.labels, places="pixels", inputs="Pictures")

    def _weights(self) -> Tensor | None:
        """Balanced ones have come from data or from a bundle."""
        if self.weighed or self.class_weights is None:
            return self.class_weights
        if self.class_weights.isnan().any():
            raise ConfigError(
                "`class_weights: balanced` needs the data: call `model.prepare(splits)`"
            )
        self.weighed = True
        return self.class_weights
