"""Files of histories."""

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from onlay.errors import DataError
from onlay_example_sequence.words import Encoder


def histories(path: Path) -> list[list[str]]:
    """The items of each line that is not empty.

    Raises:
        DataError: the file is missing, no text, or a line is no list of items; names it.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"`{path}` cannot be read as text: {error}") from error
    if path.suffix.lower() != ".jsonl":
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines)]
        return [kept for row in rows if (kept := [item for item in row if item])]
    return [_items(path, n, line) for n, line in enumerate(lines, 1) if line.strip()]


def _items(path: Path, number: int, line: str) -> list[str]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise DataError(f"line {number} of `{path}` is no JSON: {error}") from error
    if not isinstance(found, list) or not found:
        raise DataError(f'line {number} of `{path}` is no list of items, such as `["tea", 7]`')
    return [str(item) for item in found]


def reader(preprocessing: Mapping[str, Any]) -> Callable[[Path], Tensor]:
    """A function from a file with the history of one user to ids (T,)."""
    return Reader(Encoder(preprocessing))


class Reader:
    """What `reader` gives; a class, so that it can be sent to another process."""

    def __init__(self, encode: Encoder) -> None:
        self.encode = encode

    def __call__(self, path: Path) -> Tensor:
        found = histories(path)
        if len(found) != 1:
            raise DataError(f"`{path}` holds {len(found)} histories, and one is predicted for")
        return self.encode(found[0])
