"""Lists of `path label`, a picture on each line, as NOAH's data have them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onlay.errors import DataError
from onlay.reading.listing import Item


def items_of(path: Path, home: Path, names: Sequence[str] | None = None) -> list[Item]:
    """The pictures of a list, which lie below `home`; classes are their numbers, or `names`.

    Raises:
        DataError: no such file, a malformed line, a number beyond the names.
    """
    return [
        Item(home / picture, label if names is None else names[int(label)], picture)
        for picture, label in lines_of(path, names)
    ]


def lines_of(path: Path, names: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """Path and class number of every line."""
    if not path.is_file():
        raise DataError(f"the split file `{path}` is missing")
    lines = enumerate(path.read_text(encoding="utf-8").split("\n"), start=1)
    return [_line(line, f"line {n} of `{path}`", names) for n, line in lines if line.strip()]


def _line(line: str, where: str, names: Sequence[str] | None) -> tuple[str, str]:
    picture, _, label = line.strip().rpartition(" ")
    if not picture or not label.isdecimal():
        raise DataError(f"{where} is not a path and a class number")
    if names is not None and int(label) >= len(names):
        raise DataError(f"{where} has the label `{label}`, and there are {len(names)} classes")
    return picture, label
