"""What a data set gives to a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.utils.data import Dataset


@dataclass(frozen=True)
class Blocks:
    """Items that are cheap to read one after another, such as those of one file. A training part
    that has one as its attribute `blocks` is shuffled in two steps: the blocks, and then the items
    of every `window` blocks. Like any order it depends on seed and epoch alone."""

    sizes: tuple[int, ...]
    """How many items each has, in the order of the items."""
    window: int = 8
    """Blocks whose items are mixed."""


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Map-style data sets whose items are `(input, target)`; for classification the target is an
    int.

    `validation` is never a part of `test`. A split that the layout does not have is `None`.
    """

    train: Dataset[Any]
    validation: Dataset[Any] | None
    test: Dataset[Any] | None
    labels: tuple[str, ...]
    """Names of the classes, or of the labels or numbers of a target."""
    targets: str = ""
    """What a target is: `class`, an index of `labels`; `labels`, integers (C,), for each of them 1,
    0, or -1 where it is unknown; `numbers`, floats (C,); or a word of your own, which a task's
    descriptor knows. Empty: not told."""
    preprocessing: Mapping[str, Any]
    """Everything the modality's `reader` needs to prepare an input for prediction; JSON-able; goes
    into the bundle."""
    digest: str = ""
    """A hash of names, labels and sizes of files: two runs with one digest saw the same split, and
    a run does not go on with another one."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """For the log and the model card; `counts` has the items of each split and class,
    `{"train": {"cat": 50, "dog": 48}}`, which class weights are made of; `notes` are sentences for
    people, such as which files were left out."""


@dataclass(frozen=True, kw_only=True)
class Whole:
    """All of some data, as a finished model is judged on it: nothing is split off, nothing is
    changed by chance, and a target is an index into the classes of the model."""

    everything: Dataset[Any]
    parts: Mapping[str, Dataset[Any]]
    """As the data lie: `train`, `validation` and `test`, as far as there are any, or `whole`."""
    occurring: int
    """How many of the classes there are items of."""
    digest: str = ""
    """That of `Splits` if a run were trained on these data; empty where none could be."""
    notes: tuple[str, ...] = ()
    """Sentences for people."""


def targets_of(part: Dataset[Any]) -> Sequence[Any]:
    """Every target of a part, in order: its attribute `targets`, as torchvision's data sets have
    it; else every item is read."""
    found = getattr(part, "targets", None)
    if found is not None:
        return found
    return [part[index][1] for index in range(len(part))]  # type: ignore[arg-type]
