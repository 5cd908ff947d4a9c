"""One or several numbers for each input.

Shapes: B batch, C numbers, D width.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from onlay.data import targets_of
from onlay.errors import ConfigError, DataError, OnlayError
from onlay.host.firstparty import install
from onlay.reports import Measure
from onlay.task import Constant
from onlay.tasks.constants import middle
from onlay.tasks.numbers_answer import NumbersAnswer
from onlay.tasks.pooled import PooledHead, pooled_size

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.data import Splits
    from onlay.features import Features
    from onlay.reports import Report
    from onlay.tasks.config import RegressionConfig


def build(config: RegressionConfig, anatomy: Anatomy, labels: Sequence[str]) -> RegressionHead:
    """A head for the width that the backbone gives out."""
    return RegressionHead(config, pooled_size(config, anatomy), labels)


class RegressionHead(PooledHead):
    """One output for each number, in its own unit: `scale` times what the layers give, plus
    `offset`, both (C,)."""

    offset: Tensor
    scale: Tensor

    def __init__(self, config: RegressionConfig, size: int, labels: Sequence[str]) -> None:
        super().__init__(config, size, labels)
        self.config, self.units = config, _units(config, self.labels)
        self.main_metric = config.metric
        self.scaled = config.scaling == "none"
        self.register_buffer("offset", torch.zeros(len(self.labels)))
        self.register_buffer("scale", torch.full((len(self.labels),), float(self.scaled)))

    def prepare(self, splits: Splits) -> None:
        """Take the scaling from the numbers of the training part; see `scale_to`."""
        targets = targets_of(splits.train)
        rows = [torch.as_tensor(row, dtype=torch.float32) for row in targets]
        self.scale_to(torch.stack(rows).reshape(len(rows), -1))

    def scale_to(self, targets_NC: Tensor) -> None:
        """Choose offset and scale by the numbers that are trained on.

        Raises:
            DataError: of another count, not finite, or all alike.
        """
        values_NC = checked_numbers(torch.zeros(len(targets_NC), len(self.labels)), targets_NC)
        values_NC = values_NC.double()
        least_C, most_C = values_NC.amin(0), values_NC.amax(0)
        if (alike := least_C == most_C).any():
            name, value = self.labels[int(alike.argwhere()[0])], float(least_C[alike][0])
            raise DataError(
                f"`{name}` is {value:g} for all that is trained on: nothing can be learnt of it"
            )
        if self.config.scaling == "standard":
            self.offset.copy_(values_NC.mean(0))
            self.scale.copy_(values_NC.std(0, correction=0))
        elif self.config.scaling == "minmax":
            self.offset.copy_(least_C)
            self.scale.copy_(most_C - least_C)

    def forward(self, features: Features) -> Tensor:
        """Numbers (B, C), float, in their own unit."""
        if not self.scaled and not torch.compiler.is_compiling():
            self._check_scale()
        return super().forward(features).float() * self.scale.float() + self.offset.float()

    def linear(self) -> tuple[Tensor, Tensor]:
        """Weight (C, D) and bias (C,) that give the numbers, norm and scaling folded in."""
        weight_CD, bias_C = super().linear()
        scale_C = self.scale.to(weight_CD)
        return weight_CD * scale_C[:, None], bias_C * scale_C + self.offset.to(bias_C)

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """Of numbers (B, C) and targets (B, C), or (B,) of a single one: the mean over all, of
        errors in units of `scale`, scalar.

        Raises:
            DataError: targets that are no such numbers.
        """
        if not self.scaled and not torch.compiler.is_compiling():
            self._check_scale()
        error_BC = (output.float() - checked_numbers(output, targets)) / self.scale.float()
        if self.config.loss == "l1":
            return error_BC.abs().mean()
        if self.config.loss == "l2":
            return error_BC.square().mean()
        return functional.huber_loss(error_BC, torch.zeros_like(error_BC), delta=self.config.delta)

    def soft_targets(self, targets: Tensor) -> Tensor:
        """Numbers (B, C) as floats: those of mixed inputs are mixed as they are."""
        return targets.float().reshape(len(targets), -1)

    def _check_scale(self) -> None:
        """Until the scaling has come from data or from a bundle."""
        if not self.scale.all():
            raise ConfigError(
                f"`scaling: {self.config.scaling}` needs the numbers that are trained on: call"
                " `model.head.scale_to(targets)`, or set `task.scaling=none`"
            )
        self.scaled = True

    def metrics(self) -> nn.Module:
        """`mae`, `rmse` and `r2`, of several numbers their mean; and of each by its name,
        `mae_NAME`."""
        try:
            from torchmetrics import MetricCollection

            from onlay.tasks.number_metrics import ErrorOfNumbers
        except ImportError as error:
            raise OnlayError(f"metrics need `onlay-train`: {install('onlay-train')}") from error
        places = {name: place for place, name in enumerate(self.labels)} if self._several else {}
        found: dict[str, Any] = {}
        for kind in ("mae", "rmse", "r2"):
            found[kind] = ErrorOfNumbers(kind, self.scale)
            found |= {f"{kind}_{n}": ErrorOfNumbers(kind, self.scale, p) for n, p in places.items()}
        return MetricCollection(found, compute_groups=False)

    def report(self, outputs: Tensor, targets: Tensor) -> Report:
        """Of all numbers (N, C): the errors of each, and the inputs with the largest ones."""
        from onlay.tasks.number_report import number_report

        return number_report(self, outputs, checked_numbers(outputs, targets))

    def constant(self, targets: Iterable[Any]) -> Constant:
        """The median of each number of these where a run is judged by `mae`, else the mean."""
        return middle(targets, median=self.main_metric == "mae")

    @property
    def measures(self) -> Mapping[str, Measure]:
        """Errors have the numbers' unit, their mean only if it is one for all."""
        units = set(self.units.values())
        common = units.pop() if len(units) == 1 else ""
        each = {f"_{n}": u for n, u in self.units.items()} if self._several else {}
        found = {"r2" + end: Measure() for end in ("", *each)}
        for kind in ("mae", "rmse"):
            found[kind] = Measure(common, better="lower")
            found |= {kind + end: Measure(unit, better="lower") for end, unit in each.items()}
        return found

    @property
    def _several(self) -> bool:
        return len(self.labels) > 1

    def truths(self, targets: Tensor) -> list[NumbersAnswer]:
        """The numbers of each input."""
        return self.predict(targets.reshape(len(targets), -1))

    def predict(self, output: Tensor) -> list[NumbersAnswer]:
        """The numbers of each input, in their own unit."""
        rows = output.detach().double().cpu().tolist()
        return [NumbersAnswer(dict(zip(self.labels, row, strict=True)), self.units) for row in rows]


def checked_numbers(output: Tensor, targets: Any) -> Tensor:
    """Targets as floats in the shape of `output` (B, C).

    Raises:
        DataError: no tensor, of another shape, or not finite.
    """
    if not isinstance(targets, Tensor):
        raise DataError(f"targets must be a tensor of numbers, not a `{type(targets).__name__}`")
    if targets.ndim == 1 and output.shape[-1] == 1:
        targets = targets.unsqueeze(-1)
    if targets.shape != output.shape:
        raise DataError(
            f"outputs {tuple(output.shape)} need targets of that shape, and these are"
            f" {tuple(targets.shape)}"
        )
    targets = targets.float()
    seen = not torch.compiler.is_compiling() and targets.device.type == "cpu"
    if seen and not targets.isfinite().all():
        raise DataError("a target is not finite: every number must be known")
    return targets


def _units(config: RegressionConfig, labels: Sequence[str]) -> dict[str, str]:
    """By label; `%` is spelt out, since a `Measure` of `%` is a share, and these are numbers."""
    if isinstance(config.unit, str):
        return dict.fromkeys(labels, _spelt(config.unit))
    if alien := sorted(set(config.unit) - set(labels)):
        have = ", ".join(f"`{label}`" for label in labels)
        raise ConfigError(f"`task.unit` names `{alien[0]}`, and the numbers are {have}")
    return {label: _spelt(config.unit.get(label, "")) for label in labels}


def _spelt(unit: str) -> str:
    return "percent" if unit.strip() == "%" else unit.strip()
