"""What a data set gives to a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from onlay.errors import DataError

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


def blocks_in(part: Any) -> Blocks | None:
    """Those of a part, if it has any.

    Raises:
        DataError: they hold other than all of its items.
    """
    found: Blocks | None = getattr(part, "blocks", None)
    if found is not None and sum(found.sizes) != len(part):
        raise DataError(
            f"the training part has {len(part)} items, and its `blocks` hold {sum(found.sizes)}"
        )
    return found


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
    `{"train": {"cat": 50, "dog": 48}}`, which class weights are made of; `train_repeats` is how
    often `train` holds all its items, one time after the other, and `train_per_class` how many of
    each class, where a run chose that: a run is refused whose splits do not say that they heard it;
    `notes` are sentences for people, such as which files were left out; `test_varies` where the
    test part is other items for another `split_seed`."""


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


@runtime_checkable
class Stream(Protocol):
    """A training part that is read in its own order alone, a torch `IterableDataset`. A run can go
    on with it, and so be trained on it, because it can seek."""

    def __len__(self) -> int:
        """Items of an epoch."""
        ...

    def seek(self, epoch: int, position: int) -> None:
        """From here on `iter()` gives the items of that epoch (0, 1, ...) from the one at
        `position` on, always the same ones in the same order; chance may change an item through
        the generators of python, numpy and torch."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


def is_stream(part: Any) -> bool:
    """Can its items only be had one after the other?"""
    from torch.utils.data import IterableDataset

    return isinstance(part, IterableDataset) or not hasattr(type(part), "__getitem__")


def require_seekable(splits: Splits, name: str) -> None:
    """Raise a `DataError` unless the parts of the data set `name` can be used: items by their
    index, or, to train on alone, a `Stream`."""
    for part in ("train", "validation", "test"):
        found = getattr(splits, part)
        if found is None or not is_stream(found):
            continue
        if part != "train":
            raise DataError(
                f"the {part} part of `{name}` can only be read in its own order, and every item of"
                " it is judged once, on several processes too: give it `__getitem__` and `__len__`"
            )
        if not isinstance(found, Stream):
            raise DataError(
                f"the training part of `{name}` can only be read in its own order, and a run that"
                " stopped could not go on with it: give it `seek(epoch, position)` and `__len__`"
                " (`onlay.data.Stream`), or items by their index"
            )


def require_usable(splits: Splits, name: str) -> None:
    """Raise a `DataError` unless the data set `name` tells its classes apart, and has items in
    every part that it says it has."""
    if splits.train is None:
        raise DataError(f"`{name}` has no training part")
    for part, found in (("validation", splits.validation), ("test", splits.test)):
        if found is not None and not len(found):  # type: ignore[arg-type]
            raise DataError(
                f"the {part} part of `{name}` has no items; `None` says that there is none"
            )
    odd = [label for label in splits.labels if not isinstance(label, str)]
    if odd:
        raise DataError(f"`{name}` calls a class {odd[0]!r}, which is no text")
    twice = [label for label, count in Counter(splits.labels).items() if count > 1]
    if twice:
        raise DataError(f"`{name}` has the class `{twice[0]}` more than once")
    if splits.targets == "class":
        for part in ("train", "validation", "test"):
            _require_classes(getattr(splits, part), part, len(splits.labels), name)
    counts = splits.facts.get("counts", {})
    if not isinstance(counts, Mapping) or not all(isinstance(c, Mapping) for c in counts.values()):
        raise DataError(f"`{name}`: `facts['counts']` has no mapping of classes for each part")
    if isinstance(splits.facts.get("notes"), str):
        raise DataError(f"`{name}`: `facts['notes']` is one text, and not a sequence of them")


def _require_classes(found: Any, part: str, classes: int, name: str) -> None:
    """Where the part tells its targets without being read."""
    import numpy as np

    told = getattr(found, "targets", None)
    targets = np.asarray([] if told is None else told)
    if targets.ndim != 1 or targets.dtype.kind not in "iu" or not len(targets):
        return
    for value in (int(targets.min()), int(targets.max())):
        if not 0 <= value < classes:
            raise DataError(
                f"the {part} part of `{name}` has an item of class {value}, and the classes are 0"
                f" to {classes - 1}"
            )


def items_of(part: Any) -> Iterator[Any]:
    """Every item, in order; of a stream those of epoch 0."""
    if is_stream(part):
        part.seek(0, 0)
        return islice(iter(part), len(part))
    return (part[index] for index in range(len(part)))


def item_at(part: Any, index: int) -> Any:
    """One item; of a stream one of epoch 0."""
    if is_stream(part):
        part.seek(0, index)
        return next(iter(part))
    return part[index]


def targets_of(part: Dataset[Any]) -> Sequence[Any]:
    """Every target of a part, in order: its attribute `targets`, as torchvision's data sets have
    it; else every item is read."""
    return stored if (stored := getattr(part, "targets", None)) is not None else [*EachTarget(part)]


class EachTarget:
    """The targets of a part, one after the other and as often as one likes, without keeping them:
    its attribute `targets`, or with `as_given` those of its items, which an evaluation sees."""

    def __init__(self, part: Any, *, as_given: bool = False) -> None:
        self.part = part
        self.stored = None if as_given else getattr(part, "targets", None)

    def __iter__(self) -> Iterator[Any]:
        if self.stored is not None:
            return iter(self.stored)
        return (target for _, target in items_of(self.part))
