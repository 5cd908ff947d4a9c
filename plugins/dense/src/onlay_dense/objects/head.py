"""Tasks `instances` and `detection`.

Shapes: B batch, D width, H and W pixels of a picture, n objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor

from onlay.data import item_at
from onlay.errors import ConfigError, DataError
from onlay_dense.objects.answer import ObjectsAnswer
from onlay_dense.objects.config import InstancesConfig, ObjectsConfig
from onlay_dense.objects.detector import Detector, without_autocast
from onlay_dense.objects.joining import joined
from onlay_dense.objects.library import ap_metric
from onlay_dense.objects.neck import Coarsest, build_neck
from onlay_dense.objects.report import counted, objects_report
from onlay_dense.objects.targets import collate, each_of, to_learn

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.data import Splits
    from onlay.features import Features
    from onlay.reports import Report
    from onlay.task import Position

SEED = 0
"""Of the anchors and regions that a loss in evaluation is the mean of."""


def build(config: ObjectsConfig, anatomy: Anatomy, labels: Sequence[str]) -> ObjectsHead:
    """A head on the maps of a backbone of any family.

    Raises:
        AnatomyError: the backbone makes no maps of a picture.
        ConfigError: blocks that it does not have, or too few or many of them.
    """
    return ObjectsHead(config, anatomy, labels)


class ObjectsHead(nn.Module):
    """A pyramid of the backbone's maps, torchvision's detector on it, and the last layers."""

    def __init__(self, config: ObjectsConfig, anatomy: Anatomy, labels: Sequence[str]) -> None:
        super().__init__()
        self.config, self.labels = config, tuple(labels)
        self.masks = isinstance(config, InstancesConfig)
        self.main_metric = "mask_ap" if self.masks else "box_ap"
        self.target_kinds = {"boxes": "boxes"} | ({"masks": "mask"} if self.masks else {})
        self.levels, self.neck, strides = build_neck(anatomy, config.levels, config.width)
        self.coarsest, classes = Coarsest(), len(self.labels) + 1
        self.box, self.mask = FastRCNNPredictor(config.box_width, classes), None
        if isinstance(config, InstancesConfig):
            self.mask = MaskRCNNPredictor(config.mask_width, config.mask_width, classes)
        # as functions: what they are parts of is the head, and not the detector
        last = self.box.forward, self.mask.forward if self.mask is not None else None
        self.decoder = Detector(config, [*strides, 2 * strides[-1]], *last)

    @property
    def parts(self) -> dict[str, nn.Module]:
        """What reports tell apart: `neck`, and as `decoder` what proposes regions and looks at
        them; the rest are the layers that know the classes."""
        return {"neck": self.neck, "decoder": self.decoder}

    collate = staticmethod(collate)

    def prepare(self, splits: Splits) -> None:
        """See that the data have what is learnt.

        Raises:
            DataError: they have boxes without masks.
        """
        if self.masks and "masks" not in item_at(splits.train, 0)[1]:
            raise DataError(
                "the data have boxes and no masks, which `instances` learns from: take the task"
                " `detection`"
            )

    def forward(self, features: Features) -> dict[str, list[Tensor]]:
        """Of each picture `boxes` (n, 4), `labels` (n,), `scores` (n,), the surest first, `size`
        (2,), its height and width, and of instances `masks` (n, 28, 28), shares in the boxes; in
        training, too.

        Raises:
            ConfigError: it is made a program (`torch.export`), whose sizes must not depend on what
                is found.
        """
        _refuse_export()
        maps, plain = self._pyramid(features)
        with plain:
            found = self.decoder(maps, features.inputs)
        size = torch.tensor(features.inputs.shape[-2:], device=features.inputs.device)
        output = {name: [each[name] for each in found] for name in found[0]}
        output["labels"] = [labels - 1 for labels in output["labels"]]
        if self.masks:
            output["masks"] = [masks[:, 0] for masks in output["masks"]]
        return output | {"size": [size] * len(found)}

    def forward_loss(self, features: Features, targets: Any) -> Tensor:
        """Scalar: the sum of torchvision's losses, each a mean over the anchors or regions of the
        batch that are drawn; in evaluation always the same are drawn.

        `targets` are `boxes` (n, 4), `labels` (n,), of instances `masks` (n, H, W), and perhaps
        `crowd` (n,), lists with one entry for each picture.
        """
        wanted = [to_learn(each, masks=self.masks) for each in each_of(targets)]
        maps, plain = self._pyramid(features)
        device = features.inputs.device
        known = [device] if device.type == "cuda" else []
        with plain, torch.random.fork_rng(known, enabled=not self.training):
            if not self.training:
                torch.manual_seed(SEED)
            losses = self.decoder.losses(maps, features.inputs, wanted)
        return torch.stack(list(losses.values())).sum()

    def metrics(self) -> nn.Module:
        """COCO's 12 numbers of boxes and of masks; see `onlay_dense.objects.metrics`."""
        return ap_metric(self.labels, self.config.detections, masks=self.masks)

    def predict(self, output: dict[str, list[Tensor]]) -> list[ObjectsAnswer]:
        """The objects of each picture."""
        found = each_of(output)
        return [ObjectsAnswer.of(each, self.labels, self.config.threshold) for each in found]

    def put_together(
        self, outputs: Sequence[dict[str, Tensor]], positions: Sequence[Position]
    ) -> dict[str, list[Tensor]]:
        """Of what is found on pieces of a picture what is found on it; see
        `onlay_dense.objects.joining`."""
        found = joined(outputs, positions, self.config.nms_threshold)
        return {name: [leaf] for name, leaf in found.items()}

    def truths(self, targets: Any) -> list[ObjectsAnswer]:
        """The objects that targets of a batch are."""
        known = self.target_kinds.keys() | {"labels", "crowd"}
        each = [{k: v for k, v in one.items() if k in known} for one in each_of(targets)]
        return [ObjectsAnswer.true(one, self.labels) for one in each]

    def condense(self, output: dict[str, list[Tensor]], targets: Any) -> tuple[Tensor, Tensor]:
        """What a report needs of a batch: what is found of each class, (B, C, 3), and how many
        objects each picture has, (B,); see `onlay_dense.objects.report.counted`."""
        pairs = zip(each_of(output), each_of(targets), strict=True)
        how = len(self.labels), self.config.threshold
        counts_BC3 = torch.stack([counted(*pair, *how) for pair in pairs])
        return counts_BC3, counts_BC3[..., 0].sum(1)

    def report(self, outputs: Tensor, targets: Tensor) -> Report:
        """Of what `condense` made of all pictures."""
        return objects_report(outputs, self.labels, self.config.threshold)

    def _pyramid(self, features: Features) -> tuple[list[Tensor], Any]:
        return without_autocast(self.coarsest(self.neck(list(features.levels))))


def _refuse_export() -> None:
    """Not known before torch 2.7, which then says it in words of its own."""
    if getattr(torch.compiler, "is_exporting", bool)():
        raise ConfigError(
            "a model that finds objects is no program of one graph, since how many it finds depends"
            " on the picture: export a model of task `segmentation` or `depth`, or load the bundle"
        )
