"""ADE20K as the scene parsing challenge of 2016 lays it out (`ADEChallengeData2016`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onlay.data import Splits, Whole
from onlay.errors import DataError
from onlay.reading.delimited import read_table
from onlay.reading.layouts import Layout
from onlay_dense.data.config import Ade20kConfig
from onlay_dense.data.masked import masked, masked_measure, masked_whole
from onlay_dense.data.meaning import made
from onlay_dense.data.pairs import Paired, TwoFolders
from onlay_dense.data.splits import Measure
from onlay_dense.data.table import ClassTable

CLASSES = 150
NAMES = "objectInfo150.txt"
"""A table with `Idx` and `Name`, words for one thing with commas between."""


def build(config: Ade20kConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """The published parts, to train and to validate; classes by the first of their words, or by
    their numbers where the table of names is not there.

    Raises:
        DataError: no such folders, and what `make_splits` raises.
    """
    return masked(_paired(config), table(config.path), config, input_spec)


def whole(config: Ade20kConfig, input_spec: Mapping[str, Any], labels: Sequence[str]) -> Whole:
    """Both parts, for a model of these classes."""
    return masked_whole(_paired(config), table(config.path), config, input_spec, labels)


def layout(config: Ade20kConfig) -> Layout:
    """Both parts as they lie."""
    return _paired(config).layout


def measure(config: Ade20kConfig) -> Measure:
    """For `onlay data check`."""
    return masked_measure(_paired(config), table(config.path), config)


def _paired(config: Ade20kConfig) -> Paired:
    folders = TwoFolders(
        root=config.path, noun="mask", usual=("annotations",), images="images", own="annotations"
    )
    return folders.paired("auto")


def table(folder: Path) -> ClassTable:
    """1 to 150, and 0 for void."""
    return made(list(enumerate(_names(folder), start=1)), void=[0])


def _names(folder: Path) -> list[str]:
    if not (path := folder / NAMES).is_file():
        return [str(number) for number in range(1, CLASSES + 1)]
    columns, lines = read_table(path)
    if "Name" not in columns:
        raise DataError(f"`{path}` has no column `Name`")
    place = columns.index("Name")
    names = [cells[place].split(",")[0].strip() for _, cells in lines if len(cells) > place]
    if len(set(names)) != CLASSES:
        raise DataError(f"`{path}` names {len(set(names))} classes, and not {CLASSES}")
    return names
