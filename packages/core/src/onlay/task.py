"""The contract of a task: a head with its loss, its metrics and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from onlay.reports import PERCENT, Measure

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from onlay.data import Splits
    from onlay.features import Features
    from onlay.settings import Config


@dataclass(frozen=True)
class Input:
    """One input that an answer is about."""

    source: Path
    """The file."""
    tensor: Tensor
    """As the backbone was given it, without the batch's axis."""
    preprocessing: Mapping[str, Any]
    """How it was made from the file, in the words of the modality (mean, deviation)."""


@dataclass(frozen=True)
class Position:
    """Where a piece of a picture lies on it; pairs are of height and width, in pixels of the
    whole."""

    whole: tuple[int, int]
    start: tuple[float, float] = (0.0, 0.0)
    """Where the piece begins."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Pixels of the whole for one of the piece."""
    core: tuple[tuple[float, float], tuple[float, float]] = ((-inf, -inf), (inf, inf))
    """From where to where (not included) the piece is nearer to what is there than its neighbours
    are, which see some of it, too."""


@dataclass(frozen=True)
class Bars:
    """Of an answer that is drawn: names with a number each, as bars in this order."""

    values: Mapping[str, float]
    measure: Measure = PERCENT
    title: str = ""


@dataclass(frozen=True)
class Raster:
    """Of an answer that is drawn: a picture of numbers, or of indices of `labels`, with a
    legend."""

    title: str
    values_HW: Tensor
    labels: Sequence[str] = ()
    unit: str = ""
    """Of numbers."""
    colours: Sequence[str] = ()
    """Of labels, `#rrggbb`; empty: those of the pages, by index."""
    limits: tuple[float, float] | None = None
    """Of numbers: which have the first and the last colour; None: the least and the greatest."""


class Answer(Protocol):
    """What a head says of one input.

    An answer may have more, and is asked for it only where it has it:

    - `row(top) -> Mapping[str, str | float]`, a row of `--csv`; else that is the flattened record.
    - `write(folder, stem) -> Sequence[Path]`, the files that it is, such as masks, written into
      `folder` (a `Path`) under names that begin with `stem`, for `--out`; else that is the record.
    - `drawn() -> Sequence[Bars | Raster]`, what a page shows of it.
    - `with_input(given: Input) -> Answer`, the answer again, once it has seen its input.
    - `beside(truth: Answer) -> Sequence[Bars | Raster]`, what a page shows of how it differs from
      the true one.

    Everywhere `top` is how many items of a ranking are wanted, None the usual number.
    """

    def line(self) -> str:
        """All of it in a few words: `cat, 93 %`; `17.95 cm`."""
        ...

    def cells(self, top: int | None = None) -> Mapping[str, str]:
        """A row of a table for people: the columns' titles, and what stands below, in its own
        format."""
        ...

    def record(self, top: int | None = None) -> Mapping[str, Any]:
        """For `--json` and other programs: texts, numbers, truths, None, and lists and mappings of
        them. A number that is not finite becomes `null` there."""
        ...


@dataclass(frozen=True)
class Prediction:
    """The answer of a classifier: the likeliest class and the probability of every class."""

    label: str
    probability: float
    probabilities: dict[str, float]
    """The likeliest first."""

    def line(self) -> str:
        """`cat, 93 %`."""
        return f"{self.label}, {PERCENT.text(self.probability, places=0)}"

    def cells(self, top: int | None = None) -> dict[str, str]:
        """Class and probability, by default of the likeliest alone; more of them under `then`."""
        (label, first), *rest = islice(self.probabilities.items(), top or 1)
        then = ", ".join(f"{name} {PERCENT.text(p, places=1)}" for name, p in rest)
        cells = {"class": label, "probability": PERCENT.text(first, places=1)}
        return cells | ({"then": then} if then else {})

    def row(self, top: int | None = None) -> dict[str, str]:
        """`class`, `probability`, `class_2`, `probability_2` and so on, by default the likeliest
        alone."""
        return numbered("class", "probability", self.probabilities, top or 1)

    def record(self, top: int | None = None) -> dict[str, Any]:
        """`class`, `probability` and `probabilities`, by default of every class."""
        ranked = dict(islice(self.probabilities.items(), top))
        return {"class": self.label, "probability": self.probability, "probabilities": ranked}

    def drawn(self) -> list[Bars]:
        """The five likeliest."""
        return [Bars(dict(islice(self.probabilities.items(), 5)))]


@dataclass(frozen=True)
class Constant:
    """What one says of every input without a look at it."""

    what: str
    """In words: `most frequent class`."""
    outputs: Callable[[Any], Any]
    """Targets of a batch -> outputs for its inputs, of their number and size alone."""


def numbered(
    name: str, number: str, ranked: Mapping[str, float], top: int | None = None
) -> dict[str, str]:
    """Columns of a table for programs, a pair for each item of a ranking.

    >>> numbered("part", "share", {"leg": 0.75, "seat": 0.25})
    {'part': 'leg', 'share': '0.750000', 'part_2': 'seat', 'share_2': '0.250000'}
    """
    pairs = enumerate(islice(ranked.items(), top), 1)
    ends = ((f"_{i}" if i > 1 else "", key, value) for i, (key, value) in pairs)
    return {k: v for e, key, x in ends for k, v in ((name + e, key), (number + e, f"{x:.6f}"))}


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

    def views(self, inputs: Any) -> Sequence[Any]:
        """In evaluation: the inputs first, and what else the model is to see of them, such as their
        mirror images. May be left out; then there is one view."""
        ...

    def joined(self, outputs: Sequence[Any]) -> Any:
        """The output of a batch from those of its `views`, in their order."""
        ...

    def loss(self, output: Any, targets: Any) -> Tensor:
        """Scalar loss, mean over the batch. May be left out where there is a `forward_loss`; then
        an evaluation tells no loss."""
        ...

    def forward_loss(self, features: Features, targets: Any) -> Tensor:
        """Scalar loss, mean over the batch, of a head that needs features and targets at once, as
        detectors do, in the mode in which the head is. May be left out: then it is `loss` of the
        output."""
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

    target_kinds: Any = None
    """What of an item's target lies on its input and moves with it where the modality resizes,
    crops or mirrors: a word, or a tree like the target with a word or None for each leaf. Pictures
    know `mask` (class numbers, also void ones) and `map` (numbers such as depths), both (H, W) or
    (n, H, W), and `boxes` (n, 4), from corner to corner in pixels, x before y. Parts of a data set
    that have `move_targets(kinds)` are told of it. May be left out."""

    output_kinds: Any = None
    """What of the output lies on the input, as `target_kinds` has it for targets: `map`, numbers
    (B, ..., H, W) for the pixels of the input that may be averaged, such as logits and depths.
    Where every leaf is one, large inputs are answered in tiles that overlap (`onlay predict
    --tile`), and judged at their own size (`onlay eval --own-size`). May be left out."""

    def put_together(self, outputs: Sequence[Any], positions: Sequence[Position]) -> Any:
        """Of the outputs for pieces of one input, each without the batch's axis and on the CPU, the
        output for all of it, as a batch of one, such as objects that several tiles see; for
        `--tile` and `--own-size`. May be left out: then `output_kinds` must say that all are
        maps."""
        ...

    config: Config
    """The task's settings with every choice made that they left open, such as which decoder `auto`
    is on this backbone: what bundles hold and runs tell. May be left out."""

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

    def truths(self, targets: Any) -> Sequence[Answer]:
        """The answers that targets of a batch are, one for each input, to be seen beside those of
        `predict`. May be left out: then pages show no truth."""
        ...

    def constant(self, targets: Iterable[Any]) -> Constant:
        """What one would say without looking at inputs, given the targets of the training part,
        one for each item, which it may go through more than once: the row `trivial` of
        comparisons. May be left out where no answer fits every input; then there is no such row."""
        ...

    levels: Sequence[int] = ()
    """Blocks whose output the head reads in `Features.levels`; may be left out."""

    main_metric: str
    """The metric by which a run is judged (`top1`)."""

    measures: Mapping[str, Measure]
    """The unit of metrics and which direction is better; of those left out it is what
    `onlay.reports.measures_of` finds. May be left out."""
