"""Tasks as those of `planted_tasks`, each wrong in what it makes of the data, of targets or of the
batch, and tasks that look as if they were and are right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from named_configs import named_config
from planted_tasks import Defect, Healthy
from torch import Tensor, nn
from torch.nn import functional as F

from onlay import hookimpl
from onlay.anatomy import Anatomy
from onlay.data import Splits
from onlay.descriptors import Task
from onlay.features import Features
from onlay.task import Prediction


class ScaledByData(Healthy):
    """What `prepare` takes is in no state."""

    scale = 1.0

    def prepare(self, splits: Splits) -> None:
        self.scale = 5.0

    def forward(self, features: Features) -> Tensor:
        return self.scale * super().forward(features)


class SharpenedByData(ScaledByData):
    """The same, in answers alone."""

    def forward(self, features: Features) -> Tensor:
        return Healthy.forward(self, features)

    def predict(self, output: Tensor) -> list[Prediction]:
        return super().predict(self.scale * output)


class LossByData(SharpenedByData):
    """The same, in the loss alone."""

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(self.scale * output, targets)

    def predict(self, output: Tensor) -> list[Prediction]:
        return Healthy.predict(self, output)


class SumOfAll(Healthy):
    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(output, targets, reduction="sum")


class Weighed(Healthy):
    """A class counts as much as its place: all is right."""

    def __init__(self, width: int, labels: Sequence[str]) -> None:
        super().__init__(width, labels)
        self.register_buffer("weights", torch.arange(1.0, 1 + len(labels)))

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(output, targets, weight=self.weights)

    def weight_of(self, targets: Tensor) -> Tensor | None:
        return self.weights[targets].sum()


class BelowZero(Weighed):
    def weight_of(self, targets: Tensor) -> Tensor:
        return torch.tensor(-3.0)


class MeanWeight(Weighed):
    def weight_of(self, targets: Tensor) -> Tensor:
        return self.weights[targets].mean()


class CountsInputs(Weighed):
    """Its loss divides by weights, and it tells how many inputs there are."""

    def weight_of(self, targets: Tensor) -> Tensor:
        return torch.tensor(float(len(targets)))


class Soft(Weighed):
    """Takes shares as it takes classes: all is right."""

    def soft_targets(self, targets: Tensor) -> Tensor:
        return F.one_hot(targets, len(self.labels)).float()

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        soft = targets if targets.is_floating_point() else self.soft_targets(targets)
        return F.cross_entropy(output, soft)

    def weight_of(self, targets: Tensor) -> Tensor | None:
        return None


class Smoothing(Soft):
    """What is mixed is smoothed, too: all is right."""

    def soft_targets(self, targets: Tensor) -> Tensor:
        return 0.7 * super().soft_targets(targets) + 0.1

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(output, targets)


class TooWide(Soft):
    def soft_targets(self, targets: Tensor) -> Tensor:
        return F.one_hot(targets, 99).float()

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(output, targets)


class NoShares(Soft):
    def soft_targets(self, targets: Tensor) -> Tensor:
        return 2 * super().soft_targets(targets)


class AnotherClass(Soft):
    def soft_targets(self, targets: Tensor) -> Tensor:
        return super().soft_targets(targets).roll(1, 1)

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(output, targets)


class OfPairs(Healthy):
    """Of two inputs of different classes each is to say its own louder: a loss that no input has
    alone, and all is right."""

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        own = output.gather(1, targets[:, None])
        others = output[:, targets].T  # entry [i, j]: what input j says of i's class
        apart = targets[:, None] != targets[None]
        return (F.relu(1 - own + others) * apart).sum() + F.cross_entropy(output, targets)


class DiceOfAll(Weighed):
    """Dice over the batch, beside weights: all is right."""

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        share, wanted = output.softmax(-1), F.one_hot(targets, len(self.labels)).float()
        dice = 2 * (share * wanted).sum(0) / (share + wanted).sum(0)
        return 1 - dice.mean() + super().loss(output, targets)


class FromBehind(Healthy):
    def predict(self, output: Tensor) -> list[Prediction]:
        return super().predict(output.flip(-1))


class SquareError(Healthy):
    """Its output is close to the shares themselves: all is right."""

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        return F.mse_loss(output, F.one_hot(targets, len(self.labels)).float())


class AlwaysTheFirst(Healthy):
    def truths(self, targets: Tensor) -> list[Prediction]:
        return self.predict(F.one_hot(0 * targets, len(self.labels)).float())


DEFECTS: Mapping[str, Defect] = {
    "sum_of_all": Defect(SumOfAll, "loss_is_a_mean", "when it is there twice"),
    "below_zero": Defect(BelowZero, "weights_add_up", "`weight_of` gives -3"),
    "mean_weight": Defect(MeanWeight, "weights_add_up", "add up to 7, and the batch has 1.75"),
    "counts_inputs": Defect(
        CountsInputs, "loss_is_the_mean_by_weights", "the mean of the inputs' losses"
    ),
    "too_wide": Defect(TooWide, "soft_targets_are_shares", "(4, 99), and not floats (4, 3)"),
    "no_shares": Defect(NoShares, "soft_targets_are_shares", "are no shares that sum to 1"),
    "another_class": Defect(AnotherClass, "soft_targets_are_shares", "the loss of the classes is"),
    "scaled_by_data": Defect(ScaledByData, "state_round_trips", "the outputs differ after loading"),
    "loss_by_data": Defect(LossByData, "state_round_trips", "the loss is"),
    "sharpened_by_data": Defect(SharpenedByData, "state_round_trips", "an answer is"),
    "from_behind": Defect(
        FromBehind,
        "predictions_name_the_class",
        "the loss likes an output best for `a`, and `predict` says `c`",
    ),
    "always_the_first": Defect(
        AlwaysTheFirst, "truths_name_the_class", "of the target `b` the truth is `a`"
    ),
    **{
        name: Defect(head)
        for name, head in (
            ("weighed", Weighed),
            ("soft", Soft),
            ("smoothing", Smoothing),
            ("of_pairs", OfPairs),
            ("dice_of_all", DiceOfAll),
            ("square_error", SquareError),
        )
    },
}


def build(config: Any, anatomy: Anatomy, labels: Sequence[str]) -> nn.Module:
    """The head, with the defect of that name."""
    return DEFECTS[config.name].head(anatomy.sites["norm.out"].width, labels)


@hookimpl
def register_tasks() -> Iterable[Task]:
    for name, defect in DEFECTS.items():
        yield Task(
            name=name,
            config=named_config(name, defect.config),
            build="planted_targets:build",
            summary=defect.check or "nothing is wrong with it",
        )
