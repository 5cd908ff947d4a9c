"""Part segmentation: a part for each point of a cloud.

Shapes: B batch, N points, C parts, K categories, J joined levels of groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.errors import ConfigError, DataError, OnlayError
from onlay.features import centres_of
from onlay.host.firstparty import install
from onlay.reports import PERCENT
from onlay.task import Constant
from onlay.tasks.constants import places_of, ranked
from onlay_pointcloud.tasks.answer import PartsAnswer, shares_of
from onlay_pointcloud.tasks.decoder import (
    CATEGORY_WIDTH,
    CategoryCode,
    Classifier,
    Propagation,
)
from onlay_pointcloud.tasks.levels import described, joined, levels_of
from onlay_pointcloud.tasks.restricted import in_category

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.data import Splits
    from onlay.features import Features
    from onlay_pointcloud.tasks.config import PartSegmentationConfig

UNKNOWN = -1
"""The category of every part until the data is seen or a bundle is loaded."""


def build(
    config: PartSegmentationConfig, anatomy: Anatomy, labels: Sequence[str]
) -> PartSegmentationHead:
    """A head for a backbone of any width and depth.

    Raises:
        ConfigError: a level that the backbone does not have.
    """
    levels = levels_of(config, anatomy)
    return PartSegmentationHead(config, anatomy.sites["norm.out"].width, levels, labels)


class PartSegmentationHead(nn.Module):
    """The decoder of Point-MAE's part segmentation (Pang et al. 2022): 5,238,706 parameters at its
    width of 384, for 50 parts of 16 categories.

    A cloud's category is its fourth column. Clouds without one are decoded twice in evaluation: as
    if every category were equally likely, and then as of the category that this finds likeliest.
    """

    main_metric = "instance_miou"
    measures = MappingProxyType(dict.fromkeys(("instance_miou", "class_miou", "accuracy"), PERCENT))
    category_of_part: Tensor

    def __init__(
        self,
        config: PartSegmentationConfig,
        width: int,
        levels: Sequence[int],
        labels: Sequence[str],
    ) -> None:
        super().__init__()
        self.config, self.levels, self.labels = config, tuple(levels), tuple(labels)
        levels_width = width * len(self.levels)
        self.propagation = Propagation(levels_width, hidden=4 * width)
        self.category = CategoryCode(config.categories) if config.categories else None
        whole = 2 * levels_width + (CATEGORY_WIDTH if config.categories else 0)
        self.classifier = Classifier(whole, len(self.labels), config.dropout)
        start = UNKNOWN if config.categories else 0
        self.register_buffer("category_of_part", torch.full((len(self.labels),), start))

    def prepare(self, splits: Splits) -> None:
        """Take from the data which parts make up which category: `facts["categories"]`, category
        -> its parts, in the order of the fourth column.

        Raises:
            ConfigError: another number of categories than `task.categories`.
            DataError: a part of no category.
        """
        found: dict[str, Iterable[int]] = splits.facts.get("categories", {})
        if self.config.categories not in (0, len(found)):
            raise ConfigError(
                f"`task.categories` is {self.config.categories} and the data has"
                f" {len(found) or 'no'} categories: set `task.categories={len(found)}`"
            )
        if not found:
            return
        self.category_of_part.fill_(UNKNOWN)
        for category, parts in enumerate(found.values()):
            self.category_of_part[list(parts)] = category
        if (lost := self.category_of_part == UNKNOWN).any():
            raise DataError(f"part `{self.labels[int(lost.argwhere()[0])]}` is of no category")

    def forward(self, features: Features) -> Tensor:
        """Logits (B, N, C) over all parts, before a category restricts them."""
        inputs, centres_BG3 = features.inputs, centres_of(features.layout)
        assert centres_BG3 is not None, "the task needs `points`"
        points_BN3, levels_BGJ = inputs[..., :3], joined(features)
        each_BNC = self.propagation(points_BN3, centres_BG3, levels_BGJ)
        whole_BW = described(self.config, features, levels_BGJ)
        if self.category is None:
            return self.classifier(each_BNC, whole_BW)
        if inputs.shape[-1] > 3:
            return self._of_category(each_BNC, whole_BW, inputs[:, 0, 3].long())
        if self.training:
            raise DataError(
                "the clouds have no fourth column, their category: give it, or set"
                " `task.categories=0`"
            )
        even_BK = whole_BW.new_ones(1, self.config.categories) / self.config.categories
        logits_BNC = self._decoded(each_BNC, whole_BW, even_BK.expand(whole_BW.shape[0], -1))
        likeliest_B = self.category_of_part[self._likeliest_part(logits_BNC)]
        return self._of_category(each_BNC, whole_BW, likeliest_B.clamp(min=0))

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of logits (B, N, C) and parts (B, N), over all parts of all categories,
        scalar: the authors' negative log-likelihood of the logarithmic softmax."""
        return F.cross_entropy(output.float().flatten(0, 1), targets.flatten())

    def metrics(self) -> nn.Module:
        """`instance_miou`, `class_miou`, and `accuracy` of points."""
        try:
            from torchmetrics import MetricCollection

            from onlay_pointcloud.tasks.miou import MeanIoU, PointAccuracy
        except ImportError as error:
            raise OnlayError(f"metrics need `onlay-train`: {install('onlay-train')}") from error
        if (self.category_of_part == UNKNOWN).any():
            raise ConfigError(
                "which parts make up which category must come from the data: call"
                " `model.prepare(splits)`"
            )
        categories = self.category_of_part.tolist()
        return MetricCollection(
            {
                "instance_miou": MeanIoU(categories, over="instances"),
                "class_miou": MeanIoU(categories, over="categories"),
                "accuracy": PointAccuracy(categories),
            }
        )

    def constant(self, targets: Iterable[Any]) -> Constant:
        """The part that most points of these clouds have, of those of a cloud's category."""
        logits_C = ranked(places_of(targets, len(self.labels)))
        return Constant(
            "most frequent part of each category", lambda batch: logits_C.expand(*batch.shape, -1)
        )

    def predict(self, output: Tensor) -> list[PartsAnswer]:
        """The part of each point among those of one category: the one whose parts have most of the
        probability. A trained head that was told the category puts nearly all of it there."""
        category_B = self.category_of_part[self._likeliest_part(output)]
        parts_BN = in_category(output, category_B, self.category_of_part)
        return [self._prediction(parts_N) for parts_N in parts_BN.cpu()]

    def _prediction(self, parts_N: Tensor) -> PartsAnswer:
        parts = tuple(self.labels[i] for i in parts_N.tolist())
        return PartsAnswer(parts, shares_of(parts_N, self.labels))

    def _likeliest_part(self, logits_BNC: Tensor) -> Tensor:
        """A part (B,) of the category whose parts have most of the probability."""
        share_BC = logits_BNC.detach().float().softmax(-1).mean(1)
        same_CC = self.category_of_part.unsqueeze(0) == self.category_of_part.unsqueeze(1)
        return (share_BC @ same_CC.float()).argmax(-1)

    def _of_category(self, each_BNC: Tensor, whole_BW: Tensor, category_B: Tensor) -> Tensor:
        weights_BK = F.one_hot(category_B, self.config.categories).to(whole_BW.dtype)
        return self._decoded(each_BNC, whole_BW, weights_BK)

    def _decoded(self, each_BNC: Tensor, whole_BW: Tensor, weights_BK: Tensor) -> Tensor:
        assert self.category is not None
        described_BW = torch.cat([whole_BW, self.category(weights_BK)], dim=-1)
        return self.classifier(each_BNC, described_BW)
