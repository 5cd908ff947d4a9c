"""From a file to its points, and what can be wrong with it in one sentence."""

from __future__ import annotations

import csv
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from onlay.errors import DataError
from onlay_pointcloud.data.bounds import Malformed
from onlay_pointcloud.data.lidar import read_las, read_pcd
from onlay_pointcloud.data.meshes import read_mesh
from onlay_pointcloud.data.suffixes import SUFFIXES
from onlay_pointcloud.data.tables import read_npy, read_npz, read_text

T = TypeVar("T")

MESH_POINTS = 8192
"""Points that are taken from a mesh's surface, unless more are asked for."""

_READERS: dict[str, Callable[[Path], np.ndarray]] = {
    ".las": read_las,
    ".laz": read_las,
    ".pcd": read_pcd,
    ".npy": read_npy,
    ".npz": read_npz,
    ".txt": read_text,
    ".csv": read_text,
    ".xyz": read_text,
}

_BROKEN = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError),
    *(NameError, OSError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error),
    *(csv.Error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
"""What the libraries' parsers raise when a file is not what its name says."""


def read_points(path: Path, mesh_points: int = MESH_POINTS) -> np.ndarray:
    """The points (N, 3) of a file, float64, in its own unit; of a mesh, `mesh_points` on its
    surface.

    Raises:
        DataError: the file is missing, empty, truncated or of an unknown format, has no three
            columns, a coordinate that is not finite, or all points at one place; names it.
    """
    suffix = path.suffix.lower()
    if path.is_file() and suffix not in SUFFIXES:
        raise DataError(f"`{path}` is no point cloud (known: {', '.join(sorted(SUFFIXES))})")
    read = _READERS.get(suffix) or partial(read_mesh, count=mesh_points)
    return checked(attempted(path, read), f"`{path}`")


def attempted(path: Path, read: Callable[[Path], T]) -> T:
    """What `read` makes of a file.

    Raises:
        DataError: the file is missing, empty, or `read` does not understand it; names it.
    """
    if not path.is_file():
        raise DataError(f"there is no file `{path}`")
    if not path.stat().st_size:
        raise DataError(f"`{path}` is empty")
    try:
        return read(path)
    except DataError:
        raise
    except Malformed as error:
        raise _unreadable(path, str(error)) from error
    except _BROKEN as error:
        raise _unreadable(path, "it is cut off, damaged, or something else") from error


def _unreadable(path: Path, reason: str) -> DataError:
    return DataError(f"`{path}` cannot be read as `{path.suffix.lower()}`: {reason}")


def checked(points: np.ndarray, which: str) -> np.ndarray:
    """The first three columns (N, 3) as float64; `which` names the cloud in messages."""
    if points.ndim != 2 or points.shape[1] < 3 or points.dtype.kind not in "fiu":
        raise DataError(
            f"{which} holds {points.dtype} of the shape {points.shape}, not numbers of the shape"
            " (points, 3 or more)"
        )
    points = points[:, :3].astype(np.float64)
    if not len(points):
        raise DataError(f"{which} has no points")
    if not np.isfinite(points).all():
        bad = int(np.flatnonzero(~np.isfinite(points).all(1))[0])
        raise DataError(f"{which} has a coordinate that is NaN or infinite (point {bad})")
    if len(points) > 1 and not np.ptp(points, axis=0).any():
        raise DataError(f"all {len(points)} points of {which} lie at one place")
    return points
