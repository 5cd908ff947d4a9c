"""Semantic segmentation of clouds: a class for each point.

Shapes: B batch, N points, E further columns, C classes, J joined levels of groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from onlay.errors import ConfigError, DataError, OnlayError
from onlay.features import centres_of
from onlay.host.firstparty import install
from onlay.reports import Measure
from onlay.task import Constant
from onlay.tasks.class_map_report import class_map_report, confusions
from onlay.tasks.class_maps import VOID, measures
from onlay.tasks.classification import balanced_weights
from onlay.tasks.constants import places_of, ranked
from onlay_pointcloud.tasks.classes_answer import ClassesAnswer
from onlay_pointcloud.tasks.decoder import Classifier, Propagation
from onlay_pointcloud.tasks.levels import described, joined, levels_of
from onlay_pointcloud.tasks.point_losses import dice, summed, told

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.data import Splits
    from onlay.features import Features
    from onlay.reports import Report
    from onlay_pointcloud.tasks.config import PointSegmentationConfig


def build(
    config: PointSegmentationConfig, anatomy: Anatomy, labels: Sequence[str]
) -> PointSegmentationHead:
    """A head for a backbone of any width and depth.

    Raises:
        ConfigError: a level that the backbone does not have; another number of class weights.
    """
    width = anatomy.sites["norm.out"].width
    return PointSegmentationHead(config, width, levels_of(config, anatomy), labels)


class PointSegmentationHead(nn.Module):
    """Point-MAE's decoder of parts (Pang et al. 2022), which asks for no category."""

    main_metric = "miou"
    weights: Tensor

    def __init__(
        self,
        config: PointSegmentationConfig,
        width: int,
        levels: Sequence[int],
        labels: Sequence[str],
    ) -> None:
        super().__init__()
        self.config, self.levels, self.labels = config, tuple(levels), tuple(labels)
        levels_width = width * len(self.levels)
        self.propagation = Propagation(levels_width, 4 * width, config.columns)
        self.classifier = Classifier(2 * levels_width, len(self.labels), config.dropout)
        balanced = config.class_weights == "balanced"
        self.register_buffer("weights", _start(config, self.labels), persistent=balanced)

    def prepare(self, splits: Splits) -> None:
        """Balance the class weights, if asked for, by `facts["points"]`: the points of each class
        in each part.

        Raises:
            ConfigError: other further columns than `task.columns`; weights are to be balanced and
                the data count no points.
        """
        given = splits.preprocessing.get("further", len(splits.preprocessing.get("extra", ())))
        if splits.preprocessing and given != self.config.columns:
            raise ConfigError(self._other_columns(given))
        if self.config.class_weights == "balanced":
            counts = splits.facts.get("points", {}).get("train")
            if counts is None:
                raise ConfigError(
                    "`class_weights: balanced` needs data that count the points of each class"
                )
            self.weights.copy_(balanced_weights(counts, self.labels))

    def forward(self, features: Features) -> Tensor:
        """Logits (B, N, C).

        Raises:
            ConfigError: the clouds have other further columns than `task.columns`.
        """
        points_BNE, centres_BG3 = features.inputs, centres_of(features.layout)
        assert centres_BG3 is not None, "the task needs `points`"
        if (columns := points_BNE.shape[-1] - 3) != self.config.columns:
            raise ConfigError(self._other_columns(columns))
        levels_BGJ = joined(features)
        each_BNC = self.propagation(points_BNE, centres_BG3, levels_BGJ)
        return self.classifier(each_BNC, described(self.config, features, levels_BGJ))

    @property
    def measures(self) -> Mapping[str, Measure]:
        """Every metric is a share."""
        return measures(self.labels)

    def loss(self, output: Tensor, targets: Any) -> Tensor:
        """Scalar, of logits (B, N, C) and classes (B, N): the weighted mean over the points that
        have one; 0 where none has."""
        if self.weights.isnan().any():
            raise ConfigError(
                "`class_weights: balanced` needs the data: call `model.prepare(splits)`"
            )
        logits_MC, classes_M = told(output, classes_of(targets))
        if not len(classes_M):
            return 0 * output.float().sum()
        if self.config.loss == "dice":
            return dice(logits_MC, classes_M)
        total = summed(self.config, logits_MC, classes_M, self.weights)
        weight = self.weights[classes_M].sum()
        mean = total * (weight > 0) / torch.where(weight > 0, weight, 1)
        return mean + dice(logits_MC, classes_M) if self.config.loss == "ce_dice" else mean

    def weight_of(self, targets: Any) -> Tensor:
        """The class weights of all points that have a class, summed; their number where Dice is
        added, which no class weighs."""
        classes = classes_of(targets).to(self.weights.device)
        told_M = classes[classes != VOID]
        if self.config.loss == "ce_dice":
            return torch.ones_like(told_M, dtype=torch.float32).sum()
        return self.weights[told_M].sum()

    def metrics(self) -> nn.Module:
        """`miou`, `accuracy` of points, `mean_class`, `fw_iou`, and `iou_NAME` of each class."""
        try:
            from torchmetrics import MetricCollection

            from onlay_pointcloud.tasks.joined_points import PointMaps
        except ImportError as error:
            raise OnlayError(f"metrics need `onlay-train`: {install('onlay-train')}") from error
        return MetricCollection({"points": PointMaps(self.labels)})

    def constant(self, targets: Iterable[Any]) -> Constant:
        """The class that most points of these clouds have."""
        logits_C = ranked(places_of(map(classes_of, targets), len(self.labels)))
        return Constant(
            "most frequent class of points",
            lambda batch: logits_C.expand(*classes_of(batch).shape, -1),
        )

    def predict(self, output: Tensor) -> list[ClassesAnswer]:
        """The likeliest class of each point."""
        return [ClassesAnswer(self.labels, own_N) for own_N in output.detach().argmax(-1).cpu()]

    def condense(self, output: Tensor, targets: Any) -> tuple[Tensor, Tensor]:
        """What a report needs of a batch: the confusion matrix of each item (B, C, C), and whether
        it is a block of a scene (B,)."""
        counts_BCC, _ = confusions(output.argmax(-1), classes_of(targets), len(self.labels))
        blocks = isinstance(targets, Mapping)
        return counts_BCC, torch.full((len(counts_BCC),), blocks, dtype=torch.bool)

    def report(self, outputs: Tensor, targets: Tensor) -> Report:
        """Of what `condense` made of all items; see `onlay.tasks.class_map_report`."""
        facts, inputs = {}, "Clouds"
        if targets.any():
            inputs = "Blocks"
            facts["tables"] = "of blocks by themselves, before what they say of a point is joined"
        return class_map_report(outputs, self.labels, places="points", inputs=inputs, facts=facts)

    def _other_columns(self, columns: int) -> str:
        return (
            f"the clouds have {columns or 'no'} further columns and `task.columns` is"
            f" {self.config.columns}: set `task.columns={columns}`, so that the decoder reads them"
            " (the backbones look at coordinates alone), or choose others in"
            " `data.preprocess.extra`"
        )


def classes_of(targets: Any) -> Tensor:
    """Class numbers (B, N) of targets; those of scenes also tell which points they are.

    Raises:
        DataError: they are no class numbers.
    """
    classes = targets["classes"] if isinstance(targets, Mapping) else targets
    if not isinstance(classes, Tensor) or classes.is_floating_point():
        raise DataError("targets must be class numbers (B, N) of a whole-number kind")
    return classes


def _start(config: PointSegmentationConfig, labels: Sequence[str]) -> Tensor:
    if config.class_weights == "none":
        return torch.ones(len(labels))
    if config.class_weights == "balanced":
        return torch.full((len(labels),), float("nan"))
    if len(config.class_weights) != len(labels):
        given = len(config.class_weights)
        raise ConfigError(f"`class_weights` has {given} values and there are {len(labels)} classes")
    return torch.tensor(config.class_weights)
