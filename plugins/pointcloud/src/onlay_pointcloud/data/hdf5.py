"""Clouds of equal size with their classes, in h5 files with the arrays `data` and `label`."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from onlay.errors import DataError
from onlay.reading.listing import Item
from onlay_pointcloud.data.bounds import Malformed, unpackable
from onlay_pointcloud.data.readers import attempted


def items_of(path: Path, labels: Sequence[str]) -> list[Item]:
    """Every cloud of a file, the digest's name of which is `file/number`.

    Raises:
        DataError: the file is missing or no h5; without `data` (n, N, 3 or more) or `label`, (n,)
            or (n, 1); a coordinate that is not finite, all points of a cloud at one place, a label
            outside the classes.
    """
    data, numbers = attempted(path, _arrays)
    _check(path, data, numbers, len(labels))
    pairs = zip(data, numbers.reshape(-1).tolist(), strict=True)
    return [
        Item(points, labels[number], f"{path.name}/{index}")
        for index, (points, number) in enumerate(pairs)
    ]


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import h5py

    with h5py.File(path, "r") as file:
        return _array(file, "data", path), _array(file, "label", path)


def _array(file: Any, name: str, path: Path) -> np.ndarray:
    """An array of numbers that lies in this file, no larger than the file can hold."""
    import h5py

    if name not in file:
        have = ", ".join(f"`{key}`" for key in list(file)[:12]) or "nothing"
        raise DataError(f"`{path}` has no `{name}` (have: {have})")
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise Malformed(f"`{name}` lies in another file, or elsewhere in this one")
    found = file[name]
    if not isinstance(found, h5py.Dataset) or found.shape is None or found.dtype.kind not in "fiu":
        raise Malformed(f"`{name}` is no array of numbers")
    if found.is_virtual or found.external:
        raise Malformed(f"`{name}` lies in other files")
    pieces = prod(found.chunks or ()) * found.dtype.itemsize
    unpackable(max(found.size * found.dtype.itemsize, pieces), path, f"`{name}`")
    return np.asarray(found)


def _check(path: Path, data: np.ndarray, numbers: np.ndarray, classes: int) -> None:
    if data.ndim != 3 or data.shape[2] < 3 or not data.shape[1] or data.dtype.kind not in "fiu":
        raise DataError(
            f"`data` of `{path}` is {data.dtype} of the shape {data.shape}, not numbers of the"
            " shape (clouds, points, 3)"
        )
    if numbers.shape not in ((len(data),), (len(data), 1)) or numbers.dtype.kind not in "iu":
        raise DataError(
            f"`label` of `{path}` is {numbers.dtype} of the shape {numbers.shape}, not"
            f" {len(data)} whole numbers"
        )
    for index in np.flatnonzero(~np.isfinite(data).all((1, 2)))[:1]:
        raise DataError(f"cloud {index} of `{path}` has a coordinate that is NaN or infinite")
    for index in np.flatnonzero(~np.ptp(data, axis=1).any(1))[:1]:
        raise DataError(f"all points of cloud {index} of `{path}` lie at one place")
    for index in np.flatnonzero((numbers.reshape(-1) < 0) | (numbers.reshape(-1) >= classes))[:1]:
        raise DataError(
            f"cloud {index} of `{path}` has the label {numbers.flat[index]}, and the {classes}"
            f" classes are 0 to {classes - 1}"
        )
