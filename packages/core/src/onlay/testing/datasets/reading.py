"""Which split is read, how a file is prepared, and what is said of files that are not there."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from onlay.data import Splits, items_of
from onlay.descriptors import resolve
from onlay.errors import OnlayError
from onlay.model.pieces import InPieces
from onlay.testing.checking import Broken, require
from onlay.testing.datasets.case import DatasetCase, alike, parts_of, some

CUT = 16
"""Bytes that are left of a file that broke off."""


def no_files(case: DatasetCase) -> str:
    return "" if case.dataset.example else "it needs no files"


def no_reader(case: DatasetCase) -> str:
    modality = case.dataset.modality
    installed = modality in case.host.modalities
    return no_files(case) if installed else f"no plugin brings the modality `{modality}`"


def no_seed(case: DatasetCase) -> str:
    has = "split_seed" in case.dataset.config.model_fields
    return "" if has else "its parts are not left to chance"


def check_one_seed_gives_one_split(case: DatasetCase) -> None:
    """Read again under the same seed, a data set has the same labels, digest and parts in the same
    order."""
    first, again = case.splits, case.read()
    require(first.labels == again.labels, "the labels differ")
    require(first.digest == again.digest, "the digests differ")
    require(_outline(first) == _outline(again), "the parts differ")
    for (name, one), (_, other) in zip(parts_of(first), parts_of(again), strict=True):
        same = all(alike(a, b) for a, b in zip(some(one), some(other), strict=True))
        require(same, f"items of `{name}` differ")


def _outline(splits: Splits) -> dict[str, int]:
    return {name: len(part) for name, part in parts_of(splits)}


def check_split_seed_changes_the_split(case: DatasetCase) -> None:
    """Another `split_seed` puts other items into the parts, and tells so by another digest."""
    seeds = [case.config.model_copy(update={"split_seed": seed}) for seed in (1, 2, 3)]
    others = [case.read(config) for config in seeds]
    moved = [other for other in others if not _same_test(case.splits, other)]
    require(moved, "three other seeds change nothing")
    for other in moved:
        told = not case.splits.digest or other.digest != case.splits.digest
        require(told, "the items change, and the digest does not")


def _same_test(one: Splits, other: Splits) -> bool:
    for name in ("validation", "test"):
        first, second = getattr(one, name), getattr(other, name)
        if first is None or second is None:
            continue
        if len(first) != len(second):
            return False
        if not all(alike(first[n], second[n]) for n in range(len(first))):
            return False
    return True


def check_preprocessing_is_plain(case: DatasetCase) -> None:
    """`preprocessing` can be written as JSON, and the modality's `reader` can be made of it where
    it is installed."""
    facts = dict(case.splits.preprocessing)
    again = json.loads(json.dumps(facts))
    require(again == facts, f"it is read back as {again}")
    if case.dataset.modality in case.host.modalities:
        _reader(case)


def _reader(case: DatasetCase) -> Any:
    modality = case.host.find("modality", case.dataset.modality)
    facts = json.loads(json.dumps(dict(case.splits.preprocessing)))
    return resolve(modality.reader)(facts)


def check_reader_prepares_files_alike(case: DatasetCase) -> None:
    """Where the layout's items are files of the modality, or pieces of them, its `reader` makes of
    a file exactly what validation and test show of it: what is trained is what is predicted."""
    modality = case.host.find("modality", case.dataset.modality)
    files = [p for p in Path(case.home.name).rglob("*") if p.suffix.lower() in modality.suffixes]
    prepared = {content for path in files for content in _prepared(case, path)}
    if not prepared:
        return
    for name, part in parts_of(case.splits):
        if name != "train":
            lost = [n for n, (x, _) in enumerate(some(part)) if x.numpy().tobytes() not in prepared]
            require(not lost, f"item {lost[:1]} of `{name}` is what the reader makes of no file")


def _prepared(case: DatasetCase, path: Path) -> list[bytes]:
    try:
        found = _reader(case)(path)
    except OnlayError:  # a list or a table, with the suffix of a file of the modality
        return []
    inputs = [piece.inputs for piece in found.pieces] if isinstance(found, InPieces) else [found]
    return [each.numpy().tobytes() for each in inputs]


def check_absent_files_are_one_sentence(case: DatasetCase) -> None:
    """Every path in the settings that leads nowhere is refused in one sentence that names it."""
    for name in (name for name, value in case.config if isinstance(value, Path)):
        nowhere = Path(case.home.name) / "nowhere"
        try:
            case.read(case.config.model_copy(update={name: nowhere}))
        except OnlayError as error:
            text = str(error)
            require("\n" not in text and "nowhere" in text, f"the refusal is: {text}")
        else:
            raise Broken(f"`{name}` leads nowhere and is accepted")


def check_truncated_files_are_named(case: DatasetCase) -> None:
    """A file that broke off is named in one sentence, when the data set is read or when its item
    is."""
    with TemporaryDirectory(prefix="onlay-check-") as folder:
        settings = case.written(Path(folder))
        files = sorted(p for p in Path(folder).rglob("*") if p.is_file())
        if not files:
            return
        broken = max(files, key=lambda path: path.stat().st_size)
        broken.write_bytes(broken.read_bytes()[:CUT])
        try:
            for _, part in parts_of(case.read(case.parsed(settings))):
                for _ in items_of(part):
                    pass
        except OnlayError as error:
            text = str(error)
            require(broken.name in text, f"the error does not name `{broken.name}`: {text}")
        else:
            raise Broken(f"`{broken.name}` broke off after {CUT} bytes, and nothing is said")


def check_training_seed_changes_no_split(case: DatasetCase) -> None:
    """The seed of training may change an order, never which items are tested on: runs of several
    seeds are compared on one test."""
    other = case.read(seed=1)
    ours, theirs = (sorted(_contents(splits.test)) for splits in (case.splits, other))
    require(ours == theirs, "another training seed tests on other items")


def _contents(part: Any) -> list[bytes]:
    if part is None:
        return []
    torch.manual_seed(0)
    return [inputs.numpy().tobytes() for inputs, _ in items_of(part)]
