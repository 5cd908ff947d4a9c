"""Methods whose modules tell something wrong: of the data, of a training, of an input."""

from __future__ import annotations

import random
from typing import Any

import torch
from planted_modules import LowRank
from torch import Tensor, nn

from onlay.figures import Figures
from onlay.recompute import recomputing


class RunningMean(LowRank):
    """Healthy: a running mean moves in training, once for each batch."""

    affine = None  # which the mean moves

    def __init__(self, width: int, neighbour: Any) -> None:
        super().__init__(width, neighbour)
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not recomputing():
            self.mean.lerp_(x.detach().flatten(0, -2).mean(0).to(self.mean), 0.5)
        return super().forward(x - self.mean.to(x))


class MovedTwice(LowRank):
    """The mean that evaluation goes by moves also where a block is computed once more."""

    affine = None

    def __init__(self, width: int, neighbour: Any) -> None:
        super().__init__(width, neighbour)
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x - self.mean.to(x))
        self.mean.lerp_(x.detach().flatten(0, -2).mean(0).to(self.mean), 0.5)
        return super().forward(x)


class Told(LowRank):
    """Healthy: it tells what a module can tell, and leaves a penalty for training alone."""

    affine = None
    shown = "size"

    def __init__(self, width: int, neighbour: Any) -> None:
        super().__init__(width, neighbour)
        self.register_buffer("gain", torch.ones(()))
        self.penalty: Tensor | None = None

    def prepare(self, splits: Any) -> None:
        self.gain.fill_(len(splits.train))

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x) * self.gain.to(x)
        penalty = y.square().mean()  # also where it is repeated, for the same graph
        self.penalty = penalty if self.training and not recomputing() else None
        return y

    def auxiliary_loss(self) -> Tensor:
        penalty, self.penalty = self.penalty, None
        return self.up.weight.square().sum() + (0.0 if penalty is None else penalty)

    def no_weight_decay(self) -> set[str]:
        return {"up.bias", "down.bias"}

    def figures(self) -> Figures:
        return Figures()

    def shows(self, x: Tensor, output: Tensor) -> Tensor:
        return output.norm(dim=-1)


class Prepared(LowRank):
    """What it takes from the data is no buffer."""

    gain = 1.0

    def prepare(self, splits: Any) -> None:
        self.gain = 1.0 + len(splits.train)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.gain


class PreparedByChance(LowRank):
    """It draws from Python's generator."""

    def __init__(self, width: int, neighbour: Any) -> None:
        super().__init__(width, neighbour)
        self.register_buffer("gain", torch.ones(()))

    def prepare(self, splits: Any) -> None:
        self.gain.fill_(random.random())

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.gain.to(x)


class FiguresAsTable(LowRank):
    def figures(self) -> dict[str, float]:
        return {"planted/size": 1.0}


class UnnamedFigure(LowRank):
    def figures(self) -> Figures:
        return Figures({"loss": 1.0})


class FigureOfTensor(LowRank):
    def figures(self) -> Figures:
        return Figures({f"planted/{id(self)}": self.up.bias.sum()})  # type: ignore[dict-item]


class DrawnFigure(LowRank):
    def figures(self) -> Figures:
        return Figures({f"planted/{id(self)}": float(torch.rand(()))})


class ShrinkingFigure(LowRank):
    @torch.no_grad()
    def figures(self) -> Figures:
        self.up.bias.mul_(0.5)
        return Figures()


class ShownOfNoToken(LowRank):
    shown = "size"

    def shows(self, x: Tensor, output: Tensor) -> Tensor:
        return torch.zeros(3)


class ShownOfFewTokens(LowRank):
    shown = "size"

    def shows(self, x: Tensor, output: Tensor) -> Tensor:
        return output[:, :2].norm(dim=-1)


class ShownNumber(LowRank):
    shown = "size"

    def shows(self, x: Tensor, output: Tensor) -> float:
        return output.norm().item()


class ManyCategories(LowRank):
    shown, categories = "part", 2

    def shows(self, x: Tensor, output: Tensor) -> Tensor:
        return torch.full_like(output[..., 0], 2)


class PenaltyOfEvaluation(LowRank):
    """What it made in evaluation is in the loss."""

    penalty: Any = 0.0

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        self.penalty = y.square().mean()
        return y

    def auxiliary_loss(self) -> Tensor:
        penalty, self.penalty = self.penalty, 0.0
        return penalty + torch.zeros(())


class PenaltyOfAllPasses(LowRank):
    """The first batch behind an evaluation pays for it."""

    penalty: Any = 0.0

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        self.penalty = self.penalty + y.square().mean()
        return y

    def auxiliary_loss(self) -> Tensor:
        if not self.training:
            return torch.zeros(())
        penalty, self.penalty = self.penalty, 0.0
        return penalty + torch.zeros(())


class SparingNothing(LowRank):
    def no_weight_decay(self) -> set[str]:
        return {"bias_of_up"}


FIGURES, SHOWN = "figures_change_nothing", "what_is_shown_fits_the_input"
PENALTY = "evaluation_leaves_no_auxiliary_loss"
TOLD: dict[str, tuple[str, str, type[nn.Module]]] = {
    "prepared": ("what_is_prepared_is_in_the_bundle", "after reloading", Prepared),
    "by_chance": ("trains_alike_under_a_seed", "two equal trainings", PreparedByChance),
    "figures_as_table": (FIGURES, "gives a `dict` and not a `Figures`", FiguresAsTable),
    "unnamed_figure": (FIGURES, "`UnnamedFigure.figures` failed: ValueError", UnnamedFigure),
    "figure_of_tensor": (FIGURES, "is no number", FigureOfTensor),
    "drawn_figure": (FIGURES, "draws random numbers", DrawnFigure),
    "shrinking_figure": (FIGURES, "changed by asking for figures", ShrinkingFigure),
    "shown_of_no_token": (SHOWN, "has the shape (3,); `ShownOfNoToken`, which", ShownOfNoToken),
    "shown_of_few_tokens": (SHOWN, "has 2 values for", ShownOfFewTokens),
    "shown_number": (SHOWN, "`ShownNumber.shows` gives a `float`", ShownNumber),
    "many_categories": (SHOWN, "outside of its 2", ManyCategories),
    "penalty_of_evaluation": (PENALTY, "in evaluation it adds", PenaltyOfEvaluation),
    "penalty_of_all_passes": (PENALTY, "behind a pass in evaluation", PenaltyOfAllPasses),
    "sparing_nothing": ("what_is_spared_is_there", "`bias_of_up` of", SparingNothing),
}
"""The check, what its failure must say, and the module."""
