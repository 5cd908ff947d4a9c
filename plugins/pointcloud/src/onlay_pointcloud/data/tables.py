"""Points in numpy's files and in text: `.npy`, `.npz`, `.txt`, `.csv`, `.xyz`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from onlay_pointcloud.data.bounds import Malformed

_ARRAYS = ("points", "xyz", "pos", "data")
"""What the array of points may be called where a file has several."""

_COMMENTS = ("#", "//")


def read_npy(path: Path) -> np.ndarray:
    return np.load(path, allow_pickle=False)


def read_npz(path: Path) -> np.ndarray:
    """The only array, or the one that is called `points`, `xyz`, `pos` or `data`."""
    with np.load(path, allow_pickle=False) as arrays:
        name = next((n for n in _ARRAYS if n in arrays.files), None)
        if name is None and len(arrays.files) != 1:
            have = ", ".join(f"`{n}`" for n in arrays.files) or "none"
            raise Malformed(f"none of its arrays is called `points` (have: {have})")
        return arrays[name or arrays.files[0]]


def read_text(path: Path) -> np.ndarray:
    """Rows of numbers, between commas, semicolons or spaces.

    Columns x, y and z are found by their names where a first line has names, else they are the
    first three; a first line that counts the points is passed over.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first, second = [*islice(_filled(file), 2), "", ""][:2]
    if not first:
        raise Malformed("it has no rows of numbers")
    delimiter = next((sign for sign in ",;" if sign in first + second), None)
    columns, passed = _columns(first.split(delimiter), second.split(delimiter))
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return np.loadtxt(islice(_filled(file), passed, None), delimiter=delimiter, usecols=columns)


def _filled(lines: Iterator[str]) -> Iterator[str]:
    """Lines with something in them, a comment's sign taken off: a comment may hold the names."""
    for line in lines:
        text = line.strip()
        if text.startswith(_COMMENTS):
            text = text.lstrip("#/ ") if _is_header(text) else ""
        if text:
            yield text


def _is_header(text: str) -> bool:
    names = re.split(r"[,;\s]+", text.lstrip("#/ ").lower())
    return {"x", "y", "z"} <= set(names)


def _columns(first: list[str], second: list[str]) -> tuple[tuple[int, ...], int]:
    """Which columns are x, y and z, and how many lines to pass over."""
    if len(first) == 1 and len(second) > 1:
        return (0, 1, 2), 1
    names = [name.strip().strip('"').lower() for name in first]
    if all(_is_number(name) for name in names):
        return (0, 1, 2), 0
    if {"x", "y", "z"} <= set(names):
        return tuple(names.index(axis) for axis in "xyz"), 1
    return (0, 1, 2), 1


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
