"""A depth for every pixel.

Shapes: B batch, H and W pixels, h and w a map's, D width.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.data import item_at
from onlay.errors import DataError, OnlayError
from onlay.host.firstparty import install
from onlay.reports import PERCENT, Measure
from onlay.task import Constant
from onlay_dense.depth.answer import DepthAnswer
from onlay_dense.depth.valid import checked_depths, known, silog_B
from onlay_dense.trunk import Trunk, build_trunk

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.data import Splits
    from onlay.features import Features
    from onlay.host import PluginHost
    from onlay.reports import Report
    from onlay_dense.depth.config import DepthConfig

SEEN = 16
"""Depth maps that are looked at before training."""


def build(
    config: DepthConfig, anatomy: Anatomy, labels: Sequence[str], host: PluginHost
) -> DepthHead:
    """A head for a backbone of any family."""
    trunk = build_trunk(config.decoder, config.levels, anatomy, host)
    return DepthHead(config, trunk, labels)


class DepthHead(nn.Module):
    """One channel on the trunk's map, brought to the size of the picture and between bounds."""

    target_kinds = output_kinds = "map"

    def __init__(self, config: DepthConfig, trunk: Trunk, labels: Sequence[str]) -> None:
        super().__init__()
        self.config, self.labels = trunk.resolved(config), tuple(labels)
        self.levels = trunk.levels
        self.main_metric = config.metric
        self.trunk, self.last = trunk, nn.Conv2d(trunk.width, 1, 1)
        nn.init.normal_(self.last.weight, std=1e-3)  # begins in the middle of the range
        middle = (config.max - config.min) / 2
        start = 0.0 if config.output == "sigmoid" else middle + math.log(-math.expm1(-middle))
        assert self.last.bias is not None
        nn.init.constant_(self.last.bias, start)

    @property
    def parts(self) -> Mapping[str, nn.Module]:
        """What reports tell apart."""
        return self.trunk.parts

    def prepare(self, splits: Splits) -> None:
        """Look whether the depths that are trained on lie in the range.

        Raises:
            DataError: most of them do not.
        """
        depths = torch.cat([depth[depth > 0].flatten() for depth in _some(splits.train)])
        beyond = (~known(depths, self.config.min, self.config.max)).double().mean().item()
        if beyond > 0.5:
            low, middle, high = (_said(depths, share) for share in (0.01, 0.5, 0.99))
            raise DataError(
                f"{100 * beyond:.0f} % of the depths to train on are not between `task.min`"
                f" ({self.config.min:g}) and `task.max` ({self.config.max:g}): they go from"
                f" {low} to {high} around {middle}; set these two, or the data's `scale` if that is"
                " another unit than you mean"
            )

    def forward(self, features: Features) -> Tensor:
        """Depths (B, H, W), float, in the unit of the data."""
        logits_B1hw = self.last(self.trunk(features))
        logits_BHW = self.trunk.to_pixels(logits_B1hw, features.inputs)[:, 0].float()
        if self.config.output == "softplus":
            return F.softplus(logits_BHW) + self.config.min
        return self.config.min + (self.config.max - self.config.min) * logits_BHW.sigmoid()

    def views(self, inputs: Tensor) -> Sequence[Tensor]:
        """The pictures and, if asked for, their mirror images; for evaluation."""
        return [inputs, inputs.flip(-1)] if self.config.flip_test else [inputs]

    def joined(self, outputs: Sequence[Tensor]) -> Tensor:
        """The mean of the depths of both."""
        first, *mirrored = outputs
        return (first + mirrored[0].flip(-1)) / 2 if mirrored else first

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """SILog of each picture, and the mean over the pictures with a valid pixel, scalar; 0 where
        there is none.

        Raises:
            DataError: targets that are no such depths.
        """
        targets = checked_depths(output, targets)
        valid = known(targets, self.config.min, self.config.max)
        told = output.float().clamp(min=self.config.min)
        each_B = silog_B(told, targets, valid, self.config.silog_lambda)
        return each_B.sum() / valid.flatten(1).any(1).sum().clamp(min=1)

    def weight_of(self, targets: Tensor) -> Tensor:
        """How many pictures have a valid pixel."""
        valid = known(targets.float(), self.config.min, self.config.max)
        return valid.flatten(1).any(1).sum().float()

    def metrics(self) -> nn.Module:
        """See `onlay_dense.depth.metrics.NAMES`."""
        try:
            from torchmetrics import MetricCollection

            from onlay_dense.depth.metrics import DepthErrors
        except ImportError as error:
            raise OnlayError(f"metrics need `onlay-train`: {install('onlay-train')}") from error
        low, high, crop = self.config.min, self.config.max, self.config.crop
        return MetricCollection({"depth": DepthErrors(low=low, high=high, crop=crop)})

    def constant(self, targets: Iterable[Any]) -> Constant:
        """The mean of the depths of these maps that lie between `min` and `max`."""
        total, pixels = 0.0, 0
        for depth in map(torch.as_tensor, targets):
            own = depth[known(depth, self.config.min, self.config.max)].double()
            total, pixels = total + own.sum().item(), pixels + len(own)
        mean = total / max(pixels, 1)
        return Constant("mean depth", lambda batch: torch.full_like(batch, mean, dtype=torch.float))

    def truths(self, targets: Tensor) -> list[DepthAnswer]:
        """The true depths between `min` and `max`, 0 elsewhere."""
        valid = known(targets, self.config.min, self.config.max)
        return self.predict(targets.where(valid, 0))

    def condense(self, output: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """What a report needs of a batch; see `onlay_dense.depth.report.condensed`."""
        from onlay_dense.depth.report import condensed

        return condensed(output, targets, self.config.min, self.config.max, self.config.crop)

    def report(self, outputs: Tensor, targets: Tensor) -> Report:
        """Of what `condense` made of all pictures."""
        from onlay_dense.depth.report import depth_report

        return depth_report(outputs, targets, self.config.unit)

    @property
    def measures(self) -> Mapping[str, Measure]:
        """Shares of pixels in percent, lengths in the unit of the data, all others bare numbers."""
        lengths, bare = ("sq_rel", "rmse", "rmse_pooled"), ("abs_rel", "rmse_log", "log10", "silog")
        shares = dict.fromkeys(("delta1", "delta2", "delta3"), PERCENT)
        low = dict.fromkeys((*bare, "left_out"), Measure(better="lower"))
        return shares | dict.fromkeys(lengths, Measure(self.config.unit, better="lower")) | low

    def predict(self, output: Tensor) -> list[DepthAnswer]:
        """The depths of each picture."""
        maps = output.detach().float().cpu()
        return [DepthAnswer(own, self.config.unit, self.config.max) for own in maps]


def _some(part: Any) -> list[Tensor]:
    """Depth maps over the whole length of a part."""
    count, targets = len(part), getattr(part, "targets", None)
    places = range(0, count, max(1, count // SEEN))
    found = (item_at(part, n)[1] if targets is None else targets[n] for n in places)
    return [torch.as_tensor(depth).float() for depth in found]


def _said(depths: Tensor, share: float) -> str:
    return f"{depths.sort().values[int(share * (len(depths) - 1))].item():.3g}"
