"""The contract of a task: a head with its loss, metrics and predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

    from onlay.data import Splits
    from onlay.features import Features


@dataclass(frozen=True)
class Prediction:
    """The answer for one input: the likeliest class and the probability of every class."""

    words: ClassVar[tuple[str, str]] = ("class", "probability")
    """What the names and numbers of `ranked` are."""

    label: str
    probability: float
    probabilities: dict[str, float]

    @property
    def ranked(self) -> Mapping[str, float]:
        """Every class, the likeliest first."""
        return self.probabilities


@dataclass(frozen=True)
class PartsPrediction:
    """The answer for one input of many points: the part that each one belongs to."""

    words: ClassVar[tuple[str, str]] = ("part", "share")

    parts: tuple[str, ...]
    """A part's name for each point, in the order in which the backbone was given them."""
    shares: dict[str, float]
    """Of the points, for every part that occurs, the largest first."""
    points: tuple[tuple[float, ...], ...] = ()
    """The points themselves, as the backbone was given them; `onlay.model.predict` adds them,
    because a file's points are chosen from and moved."""

    @property
    def ranked(self) -> Mapping[str, float]:
        """Every part that occurs, the largest first."""
        return self.shares


Answer = Prediction | PartsPrediction
"""What a head says of one input; `words` and `ranked` are common to all. One may say itself how it
is shown: `line() -> str`, and `cells(top)`, `row(top)` and `record(top)`, mappings for a table, for
`--csv` and for `--json`; `top` is how many of a ranking are wanted."""


class TaskHead(Protocol):
    """An `nn.Module` on `Features`. All of its parameters train and go into the bundle under
    `head.`. Outputs and targets are any trees of tensors (see `onlay.batches`)."""

    labels: tuple[str, ...]

    def prepare(self, splits: Splits) -> None:
        """Take from the data what the loss needs (class weights); once, before training."""
        ...

    def __call__(self, features: Features) -> Any:
        """Output of the task, a tensor or a tree of them; classification: logits (B, classes)."""
        ...

    def loss(self, output: Any, targets: Any) -> Tensor:
        """Scalar loss, mean over the batch."""
        ...

    def weight_of(self, targets: Any) -> Tensor | None:
        """What a batch counts beside others of its size, if they do not count alike: the sum of
        class weights by which `loss` divides. May be left out."""
        ...

    def soft_targets(self, targets: Any) -> Tensor:
        """Targets of a batch as the shares of all classes, (B, C) floats, which `loss` and
        `weight_of` take, too. May be left out: then inputs are not mixed (`train.mixup`)."""
        ...

    def collate(self, items: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
        """Items `(input, target)` of the data set as a batch `(inputs, targets)`, in training and
        evaluation alike; best a static method, as it is sent to a loader's processes. May be left
        out: then it is `onlay.batches.stacked`."""
        ...

    parts: Mapping[str, nn.Module]
    """Modules of the head whose parameters reports tell apart, such as `neck` and `decoder`; may be
    left out."""

    def metrics(self) -> nn.Module:
        """A fresh `torchmetrics.MetricCollection` (`update(output, targets)`); needs
        `onlay-train`."""
        ...

    def predict(self, output: Any) -> Sequence[Answer]:
        """Readable answers, one for each input."""
        ...

    levels: Sequence[int] = ()
    """Blocks whose output the head reads in `Features.levels`; may be left out."""

    main_metric: str
    """The metric by which a run is judged, higher is better (`top1`)."""
