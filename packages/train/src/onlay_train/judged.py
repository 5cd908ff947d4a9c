"""What `onlay eval` judges: a part of the run's own data, or all of other data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch.utils.data import Dataset

from onlay.config.run import RunConfig
from onlay.data import Splits, Whole
from onlay.descriptors import resolve
from onlay.errors import DataError
from onlay.host import PluginHost
from onlay.model.splits import read_splits
from onlay.reading.folds import digest_of_fold
from onlay.settings import Config
from onlay_train.loaders import size

ALL = "all"
"""What is judged of other data, in the place of a part's name."""

_OF_THE_SPLIT = frozenset({"preprocess", "duplicates", "val_size", "test_size", "split_seed"})
"""Fields that say how the same data are prepared or divided."""


@dataclass(frozen=True)
class Judged:
    """A data set, which part it is, and what is to be said of it."""

    dataset: Dataset[Any]
    split: str
    what: str
    """In words: `test part`, `all of \\`new\\` (20 train, 14 test), 3 of 10 classes`."""
    notes: Sequence[str] = ()


def judged(
    config: RunConfig,
    own: RunConfig,
    *,
    split: str | None,
    digest: str,
    labels: Sequence[str],
    input_spec: Any,
    host: PluginHost,
) -> Judged:
    """The part `split` of what `config` names; by default the test part of the run's own data, and
    all of others.

    `own` is the configuration that the run was trained with, `digest` that of its split, `labels`
    its classes.

    Raises:
        DataError: no such part, or other classes.
    """
    data = host.find("dataset", config.data.name)
    if _same_place(config.data, own.data):
        splits = read_splits(config, input_spec, host)
        return _of_splits(splits, split or "test", config.data, labels, digest)
    others = config.model_copy(update={"fold": None})
    if data.whole is None:
        splits = read_splits(others, input_spec, host)
        return _of_splits(splits, split or "test", config.data, labels)
    whole: Whole = resolve(data.whole)(config.data, input_spec, labels)
    fold = own.fold
    told = whole.digest if fold is None else digest_of_fold(whole.digest, fold)
    if digest and told == digest:
        same = config.model_copy(update={"fold": fold})
        part = _of_splits(read_splits(same, input_spec, host), split or "test", config.data, labels)
        where = f"`{_place(config.data)}` holds the run's own data: its {part.split} part is judged"
        return replace(part, notes=(*part.notes, where))
    return _of_other(whole, split, config.data, len(labels))


def _of_splits(
    splits: Splits, split: str, config: Config, labels: Sequence[str], digest: str = ""
) -> Judged:
    """A part of data as they are divided for training, which `digest` tells from other splits."""
    if tuple(splits.labels) != tuple(labels):
        raise DataError(
            f"the data has the classes {_few(splits.labels)},"
            f" the bundle was trained for {_few(labels)}"
        )
    part = getattr(splits, split)
    if part is None:
        have = [n for n in ("train", "validation", "test") if getattr(splits, n) is not None]
        raise DataError(f"`{config.name}` has no {split} part (have: {', '.join(have)})")
    notes = tuple(splits.facts.get("notes", ()))
    if digest and splits.digest and splits.digest != digest:
        notes += (
            "warning: this is not the split that the run was trained on: some of what is judged"
            " here may have been trained on",
        )
    return Judged(part, split, f"{split} part", notes)


def _of_other(found: Whole, split: str | None, config: Config, classes: int) -> Judged:
    where = f"`{_place(config)}`"
    sizes = {name: size(part) for name, part in found.parts.items()}
    if split is not None:
        if split not in found.parts:
            raise DataError(
                f"{where} has no {split} part (have: {', '.join(found.parts)}); without `--split`"
                " all of it is judged"
            )
        return Judged(found.parts[split], split, f"{split} part of {where}", found.notes)
    named = ", ".join(f"{count:,} {name}" for name, count in sizes.items())
    parts = f" ({named})" if len(sizes) > 1 else ""
    some = f", {found.occurring} of {classes} classes" if found.occurring < classes else ""
    return Judged(found.everything, ALL, f"all of {where}{parts}{some}", found.notes)


def _same_place(one: Config, other: Config) -> bool:
    first, second = (
        {k: v for k, v in c.model_dump().items() if k not in _OF_THE_SPLIT} for c in (one, other)
    )
    return first == second


def _place(config: Config) -> str:
    return str(getattr(config, "path", config.name))


def _few(labels: Sequence[str]) -> str:
    return ", ".join(f"`{label}`" for label in labels[:5]) + (" ..." if len(labels) > 5 else "")
