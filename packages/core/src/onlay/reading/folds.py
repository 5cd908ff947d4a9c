"""A training part as folds: each is tested once by a run that is trained on the others."""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from onlay.config.fold import FoldConfig
from onlay.data import Splits, is_stream, targets_of
from onlay.errors import DataError
from onlay.reading.duplicates import COMPARED_UP_TO, Placed, repeated
from onlay.reading.listing import Item
from onlay.reading.part_view import PartView, taken
from onlay.reading.spreading import spread, tenths


def one_fold(splits: Splits, config: FoldConfig, duplicates: str | None = None) -> Splits:
    """The splits with one fold of the training part to test on, as evaluation shows it, and the
    others to train on; a validation part stays, and the data's own test part is not looked at.
    `duplicates` is what becomes of a thing that is there twice, as `data.duplicates` has it.

    Raises:
        DataError: a thing is in two folds, and that is refused; fewer items than folds, a class of
            a single item, a stream, or a training part that says why it has none, in its attribute
            `no_folds`.
    """
    train: Any = splits.train
    if reason := getattr(train, "no_folds", ""):
        raise DataError(reason)
    if is_stream(train):
        raise DataError(
            "these data can only be read in their own order, and folds are dealt by index"
        )
    if splits.facts.get("train_repeats", 1) > 1:
        raise DataError(
            "data.train_repeats: an item that comes several times would lie in several folds, and"
            " be trained on and tested: leave it out, and take more `train.epochs`"
        )
    targets = targets_of(train)
    folds = dealt(targets, splits, config)
    tested = folds.pop(config.fold)
    rest = sorted(chain(*folds))
    plain = getattr(train, "plain", None)
    rest, copies = _without_copies(train, tested, rest, duplicates)
    parts = {"train": taken(targets, rest), "test": taken(targets, tested)}
    facts = dict(splits.facts)
    if "counts" in facts:
        own = {name: _counted(part, splits) for name, part in parts.items()}
        facts["counts"] = {k: v for k, v in facts["counts"].items() if k == "validation"} | own
    if "points" in facts:
        facts["points"] = _points(train, {"train": rest, "test": tested}, facts["points"])
    facts["notes"] = (*facts.get("notes", ()), *_notes(splits, config, targets, plain), *copies)
    return replace(
        splits,
        train=PartView(train, rest),
        test=PartView(train if plain is None else plain, tested, still=plain is None),
        digest=digest_of_fold(splits.digest, config),
        facts=facts,
    )


def _points(
    train: Any, parts: Mapping[str, Sequence[int]], whole: Mapping[str, Any]
) -> dict[str, dict[str, int]]:
    """Those of each class in each part, where the training part has them item by item, in its
    attribute `points`; else of the parts of a fold nothing is known."""
    kept = {name: counts for name, counts in whole.items() if name == "validation"}
    each = getattr(train, "points", None)
    if each is None:
        return kept
    labels = whole["train"]
    own = {name: [each[index] for index in indices] for name, indices in parts.items()}
    return kept | {
        name: {label: sum(counts[label] for counts in items) for label in labels}
        for name, items in own.items()
    }


def _without_copies(
    train: Any, tested: list[int], rest: list[int], mode: str | None
) -> tuple[list[int], list[str]]:
    """What is left to train on, and what is to be said of things that are tested and lie among it,
    too, under another name."""
    sources = getattr(train, "sources", None) or getattr(
        getattr(train, "plain", None), "sources", None
    )
    if mode is None or sources is None:
        return rest, []
    parts = {"test": tested, "train": rest}
    placed = [
        Placed(part, Item(sources[i], "", str(i))) for part, own in parts.items() for i in own
    ]
    by_content = mode != "warn" or len(placed) <= COMPARED_UP_TO
    copies = {
        int(one.item.key)
        for group in repeated(placed, by_content=by_content)
        for one in group
        if one.part == "train"
    }
    if not copies:
        return rest, []
    told = f"{len(copies):,} items to train on are in the fold that is tested, too, as copies"
    if mode == "refuse":
        raise DataError(f"{told}: see `data.duplicates`")
    if mode == "warn":
        return rest, [f"warning: {told}; `data.duplicates=drop` leaves them out"]
    return [index for index in rest if index not in copies], [f"left out: {told}"]


def dealt(targets: Sequence[Any], splits: Splits, config: FoldConfig) -> list[list[int]]:
    """The indices of each fold, rising. Classes, labels, and tenths of numbers have their share in
    every fold; of other targets nothing is known, and they are dealt by chance.

    Raises:
        DataError: see `one_fold`.
    """
    if len(targets) < config.of:
        raise DataError(f"{len(targets)} items cannot be dealt to {config.of} folds")
    if _classes(splits, targets):
        return _stratified(np.asarray(targets), splits.labels, config)
    traits: list[frozenset[Any]] = [frozenset() for _ in targets]
    if splits.targets == "labels":
        traits = [frozenset(np.flatnonzero(np.asarray(row) == 1).tolist()) for row in targets]
    elif splits.targets == "numbers":
        traits = tenths(np.array([np.asarray(row) for row in targets], dtype=np.float64))
    sizes = [len(part) for part in np.array_split(np.arange(len(targets)), config.of)]
    return spread(traits, sizes, config.seed)


def _classes(splits: Splits, targets: Sequence[Any]) -> bool:
    first = np.asarray(targets[0])
    return splits.targets in ("", "class") and first.ndim == 0 and first.dtype.kind in "iu"


def _stratified(classes: np.ndarray, labels: Sequence[str], config: FoldConfig) -> list[list[int]]:
    from sklearn.model_selection import StratifiedKFold

    rare = [label for label, count in enumerate(np.bincount(classes)) if count == 1]
    if rare:
        raise DataError(
            f"class `{labels[rare[0]]}` has a single item, and none to train on where it is tested"
        )
    folds = StratifiedKFold(config.of, shuffle=True, random_state=config.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of rare classes, of which a note tells
        try:
            return [test.tolist() for _, test in folds.split(classes, classes)]
        except ValueError as error:
            raise DataError(
                f"no class has an item for each of {config.of} folds: take fewer"
            ) from error


def _notes(splits: Splits, config: FoldConfig, targets: Sequence[Any], plain: Any) -> list[str]:
    told = [f"fold {config.fold} of {config.of} of the training part is the test part"]
    if splits.test is not None:
        told[0] += "; the data's own is not looked at"
    if plain is None:
        told.append(
            "the training part has no `plain` view: what is tested is shown as in training, changed"
            " by chance if that is, though each time alike"
        )
    if _classes(splits, targets):
        rare = [n for n in Counter(map(int, targets)).values() if n < config.of]
        if rare:
            told.append(
                f"warning: {len(rare)} of {len(splits.labels)} classes have fewer than"
                f" {config.of} items, and are missing in some folds"
            )
    return told


def _counted(targets: Sequence[Any], splits: Splits) -> dict[str, int]:
    """As `onlay.reading.listing.counts` does it."""
    if splits.targets == "labels":
        sums = (np.stack([np.asarray(row) for row in targets]) == 1).sum(0)
        return dict(zip(splits.labels, map(int, sums), strict=True))
    tally = Counter(map(int, targets))
    return {label: tally[index] for index, label in enumerate(splits.labels)}


def digest_of_fold(whole: str, config: FoldConfig) -> str:
    """Another for each fold; empty where the data have none."""
    told = f"{whole}\nfold {config.fold} of {config.of}, {config.seed}"
    return hashlib.sha256(told.encode()).hexdigest() if whole else ""
