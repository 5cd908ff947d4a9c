"""Points in numpy's files, `.npy` and `.npz`.

The header is read here, and what it promises compared with what is there, before anything of that
size is made; no pickle is ever opened.
"""

from __future__ import annotations

import ast
import re
import zipfile
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

from onlay_pointcloud.data.bounds import Malformed, enough, unpackable
from onlay_pointcloud.data.columns import Wanted, axes_of, listed
from onlay_pointcloud.data.scan import Scan

_ARRAYS = (
    *("points", "xyz", "pos", "data", "pc", "point_cloud", "pointcloud", "cloud"),
    *("coord", "coords", "positions", "vertices"),
)
"""What the array of points may be called where a file has several."""

_HEADER = 10_000
"""Bytes of a header; numpy's own limit."""

_WIDE, _FEW = 16, 12
"""So few rows, each of more numbers than that, are x, y, z and further columns."""


def read_npy(path: Path, wanted: Wanted) -> Scan:
    """An array (N, 3 or more), or (3 to 12, N) for N above 16, or of named fields, of any order
    and byte order."""
    with path.open("rb") as file:
        return Scan(rows_of(array_of(file, path.stat().st_size), wanted))


def read_npz(path: Path, wanted: Wanted) -> Scan:
    """The only array, or the one that is called `points` or its like (`_ARRAYS`), or one array for
    each axis."""
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        name = next((n for n in _ARRAYS if n in names), None)
        if name is None and axes_of(names):
            each = [_member(archive, path, names[i]) for i in wanted.among(names)]
            return Scan(_side_by_side(each))
        if name is None and len(names) != 1:
            raise Malformed(f"none of its arrays is called `points` (have: {listed(names)})")
        if (apart := wanted.apart(names)) is not None:
            rows = rows_of(_member(archive, path, name or names[0]), replace(wanted, label=None))
            return Scan(_beside(rows, _member(archive, path, apart)))
        return Scan(rows_of(_member(archive, path, name or names[0]), wanted))


def _beside(rows: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Rows with the classes of an array of its own behind them."""
    if classes.dtype.names or classes.size != len(rows):
        shape = f"{classes.shape}"
        raise Malformed(f"its classes are of the shape {shape}, and its points are {len(rows):,}")
    return np.hstack([rows, classes.reshape(-1, 1).astype(np.float64)])


def _member(archive: zipfile.ZipFile, path: Path, name: str) -> np.ndarray:
    full = name if name in archive.namelist() else f"{name}.npy"
    info = archive.getinfo(full)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Malformed("it is packed in a way that numpy does not write")
    unpackable(info.file_size, path, f"the array `{name}`")
    with archive.open(info) as file:
        return array_of(file, info.file_size)


def array_of(file: IO[bytes], held: int) -> np.ndarray:
    """The array of numbers that a stream of `held` bytes has.

    Raises:
        Malformed: it holds anything else, or less than its header says.
    """
    dtype, shape, fortran = _header(file)
    promised = prod(shape) * dtype.itemsize
    enough(promised, held, f"{dtype.name[:20]} of the shape {shape}")
    content = file.read(promised)
    enough(promised, len(content), f"numbers of the shape {shape}")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def _header(file: IO[bytes]) -> tuple[np.dtype, tuple[int, ...], bool]:
    start = file.read(8)
    if start[:6] != b"\x93NUMPY" or len(start) < 8 or start[6] not in (1, 2, 3):
        raise Malformed("it does not begin as numpy's files do")
    length = int.from_bytes(file.read(2 if start[6] == 1 else 4), "little")
    if length > _HEADER:
        raise Malformed(f"its header has {length:,} bytes, and {_HEADER:,} are the most")
    text = file.read(length).decode("utf-8" if start[6] == 3 else "latin1")
    header: Any = ast.literal_eval(re.sub(r"(\d)L\b", r"\1", text.strip()))  # Python 2's numbers
    dtype, shape = np.lib.format.descr_to_dtype(header["descr"]), header["shape"]
    if not all(type(size) is int and size >= 0 for size in shape):
        raise Malformed(f"its shape is {shape}")
    if not dtype.names and dtype.kind not in "fiu":
        raise Malformed(f"it holds {dtype.name[:40]}, and only numbers are points")
    return dtype, shape, header["fortran_order"] is True


def rows_of(array: np.ndarray, wanted: Wanted) -> np.ndarray:
    """The columns that are wanted, (N, 3 + E) float64."""
    if array.dtype.names:
        return _of_fields(array.reshape(-1), wanted)
    if array.ndim == 3 and len(array) == 1:
        array = array[0]
    if array.ndim == 2 and 3 <= len(array) <= _FEW and array.shape[1] > _WIDE:
        array = array.T
    if array.ndim != 2 or array.shape[1] < 3:
        raise Malformed(
            f"it holds numbers of the shape {array.shape}, not of the shape (points, 3 or more)"
        )
    places = wanted.numbered(range(array.shape[1]), array.shape[1])
    return array[:, places].astype(np.float64)


def _of_fields(records: np.ndarray, wanted: Wanted) -> np.ndarray:
    """Of an array of fields, such as `[("x", "f4"), ("y", "f4"), ("z", "f4")]`, or one of three."""
    columns: dict[str, np.ndarray] = {}
    for name in records.dtype.names or ():
        field = records[name]
        if field.dtype.kind in "fiu" and field.ndim == 1:
            columns[name] = field
        elif field.dtype.kind in "fiu" and field.ndim == 2 and field.shape[1] <= _WIDE:
            columns.update({f"{name}:{i}": field[:, i] for i in range(field.shape[1])})
    return chosen(columns, wanted)


def chosen(columns: dict[str, np.ndarray], wanted: Wanted) -> np.ndarray:
    """Columns by their names, side by side, (N, 3 + E) float64."""
    names = list(columns)
    return _side_by_side([columns[names[place]] for place in wanted.among(names)])


def _side_by_side(columns: list[np.ndarray]) -> np.ndarray:
    if len({column.shape for column in columns}) != 1 or columns[0].ndim != 1:
        raise Malformed("its columns are not of one length")
    return np.stack([column.astype(np.float64) for column in columns], axis=1)
