"""ShapeNetPart (Yi et al. 2016): shapes of 16 categories in 50 parts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onlay.data import Splits
from onlay.errors import DataError
from onlay.reading.duplicates import settled
from onlay.reading.listing import Item, Listing, counts, digest
from onlay_pointcloud.data.augment import chosen
from onlay_pointcloud.data.bounds import Malformed
from onlay_pointcloud.data.config import ShapeNetPartConfig
from onlay_pointcloud.data.parts import PartFiles, Parts, TrainingParts
from onlay_pointcloud.data.preprocess import Loader, refuse_columns, resolve
from onlay_pointcloud.data.readers import attempted, listed_lines
from onlay_pointcloud.data.splits import NOUN

_COUNTS = {
    "Airplane": 4,
    "Bag": 2,
    "Cap": 2,
    "Car": 4,
    "Chair": 4,
    "Earphone": 3,
    "Guitar": 3,
    "Knife": 2,
    "Lamp": 4,
    "Laptop": 2,
    "Motorbike": 6,
    "Mug": 2,
    "Pistol": 3,
    "Rocket": 3,
    "Skateboard": 3,
    "Table": 3,
}
"""Parts of each category, numbered on from one to the next."""

_ENDS = np.cumsum(list(_COUNTS.values())).tolist()

CATEGORIES: Mapping[str, list[int]] = {
    name: list(range(end - count, end))
    for (name, count), end in zip(_COUNTS.items(), _ENDS, strict=True)
}
"""The parts of each category, by their numbers among all 50."""

LABELS = tuple(f"{name} {own}" for name, count in _COUNTS.items() for own in range(count))

CATEGORY_FILE = "synsetoffset2category.txt"


def build(config: ShapeNetPartConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """The published lists; `facts["categories"]` maps each category to its parts, and a category's
    number is its place there.

    Raises:
        DataError: a missing category file or list; a shape without its file, or with labels of
            another category, when it is met.
    """
    refuse_columns(config.preprocess)
    folders = _categories(config.path)
    facts = resolve(config.preprocess, input_spec)
    facts["category_folders"] = {
        word: number
        for number, name in enumerate(CATEGORIES)
        for word in (name, *(folder for folder, own in folders.items() if own == name))
    }
    listing = settled(_listing(config, folders), config.duplicates, NOUN)
    val, test = (
        Parts(_files(part, facts, config)) if part else None for part in (listing.val, listing.test)
    )
    return Splits(
        train=TrainingParts(
            _files(listing.train, facts, config),
            chosen(config.preprocess),
            drop=config.preprocess.dropout_ratio,
        ),
        validation=val,
        test=test,
        labels=LABELS,
        preprocessing=facts,
        digest=digest(listing),
        facts={
            "categories": dict(CATEGORIES),
            "shapes": counts(listing, tuple(CATEGORIES)),
            "notes": listing.notes,
        },
    )


def _categories(root: Path) -> dict[str, str]:
    """Categories by the names of their folders."""
    path = root / CATEGORY_FILE
    if not path.is_file():
        raise DataError(
            f"`{path}` is missing: it tells which folder is which category of ShapeNetPart"
        )
    rows = [line.split() for line in listed_lines(path)]
    for row in rows:
        if len(row) != 2 or row[0] not in CATEGORIES:
            raise DataError(f"`{path}` has the line `{' '.join(row)}`, not a category and a folder")
    return {folder: name for name, folder in rows}


def _listing(config: ShapeNetPartConfig, folders: Mapping[str, str]) -> Listing:
    train, val, test = (_listed(config.path, part, folders) for part in ("train", "val", "test"))
    if config.train == "trainval":
        train, val = train + val, []
    if not train:
        raise DataError(f"the lists of `{config.path}` name no shapes to train on")
    return Listing(train, val, test)


def _listed(root: Path, part: str, folders: Mapping[str, str]) -> list[Item]:
    path = root / "train_test_split" / f"shuffled_{part}_file_list.json"
    entries = attempted(path, lambda file: json.loads(file.read_text(encoding="utf-8")))
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise DataError(f"`{path}` is no list of shapes")
    return [_item(root, entry, folders, path) for entry in entries]


def _item(root: Path, entry: str, folders: Mapping[str, str], path: Path) -> Item:
    """From `shape_data/02691156/1021a0914a7207aff927ed529ad90a11`."""
    folder, _, name = entry.removeprefix("shape_data/").partition("/")
    if folder not in folders:
        raise DataError(f"`{entry}` of `{path}` is in no folder that `{CATEGORY_FILE}` has")
    key = f"{folder}/{name}.txt"
    return Item(root / key, folders[folder], key)


def _files(
    items: Sequence[Item], facts: Mapping[str, Any], config: ShapeNetPartConfig
) -> PartFiles:
    numbers = {name: number for number, name in enumerate(CATEGORIES)}
    return PartFiles(
        paths=[item.source for item in items],
        categories=[numbers[item.label] for item in items],
        read=read_shape,
        load=Loader(facts),
        npoints=facts["npoints"],
        replacement=config.sampling == "with_replacement",
    )


def read_shape(path: Path, category: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 3) and part numbers (N,) of a file of rows x y z nx ny nz part.

    Raises:
        DataError: it cannot be read, or has parts of another category.
    """
    rows = attempted(path, _rows)
    name, parts = list(CATEGORIES.items())[category]
    foreign = rows[~np.isin(rows[:, 3], parts), 3]
    if len(foreign):
        raise DataError(
            f"`{path}` has the part {foreign[0]:g}, and {name} has {parts[0]} to {parts[-1]}"
        )
    return rows[:, :3], rows[:, 3].astype(np.int64)


def _rows(path: Path) -> np.ndarray:
    lines = [line for line in listed_lines(path) if not line.startswith("#")]
    if not lines:
        raise Malformed("it has no rows of numbers")
    return np.loadtxt(lines, usecols=(0, 1, 2, -1), ndmin=2)
