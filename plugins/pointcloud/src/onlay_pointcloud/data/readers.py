"""From a file to its points, and what can be wrong with it in one sentence.

Shapes: N points, E further columns.
"""

from __future__ import annotations

import csv
import lzma
import struct
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from onlay.errors import DataError
from onlay_pointcloud.data.arrays import read_npy, read_npz
from onlay_pointcloud.data.binary_scans import read_bin, read_ptx
from onlay_pointcloud.data.bounds import Malformed
from onlay_pointcloud.data.columns import Wanted
from onlay_pointcloud.data.lidar import read_las
from onlay_pointcloud.data.meshes import read_mesh
from onlay_pointcloud.data.pcd import read_pcd
from onlay_pointcloud.data.ply import read_ply
from onlay_pointcloud.data.scan import Scan, measured, told
from onlay_pointcloud.data.suffixes import MESHES, SUFFIXES, TABLES
from onlay_pointcloud.data.tables import read_text

T = TypeVar("T")

MESH_POINTS = 8192
"""Points that are taken from a mesh's surface, unless more are asked for."""

_READERS: dict[str, Callable[[Path, Wanted], Scan]] = {
    ".bin": read_bin,
    ".las": read_las,
    ".laz": read_las,
    ".npy": read_npy,
    ".npz": read_npz,
    ".pcd": read_pcd,
    ".ptx": read_ptx,
    **dict.fromkeys(TABLES, read_text),
}

_BROKEN = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError),
    *(NameError, OSError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error),
    *(csv.Error, lzma.LZMAError, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
"""What parsers raise when a file is not what its name says."""


@dataclass(frozen=True)
class Reading:
    """What is taken from a file."""

    mesh_points: int = MESH_POINTS
    wanted: Wanted = field(default_factory=Wanted)
    keep: bool = False
    """Points that were not measured stay."""


def read_points(path: Path, mesh_points: int = MESH_POINTS) -> np.ndarray:
    """The points (N, 3) of a file that were measured, float64, in its own unit; of a mesh,
    `mesh_points` on its surface.

    Raises:
        DataError: see `take`.
    """
    return read_measured(path, Reading(mesh_points))[0]


class Taken(NamedTuple):
    """What was taken from a file of Q points."""

    points: np.ndarray
    """(N, 3 + E)."""
    left_out: Counter[str]
    """How many were left out, by the reason."""
    which_Q: np.ndarray
    """Which of the file's points they are, bool."""
    origin: np.ndarray | None
    """(3,): where the file has what is at (0, 0, 0) here, unless that is the same."""


def read_measured(path: Path, reading: Reading) -> tuple[np.ndarray, Counter[str]]:
    """The points (N, 3 + E) of a file, and how many were left out, by the reason.

    Raises:
        DataError: see `take`.
    """
    return take(path, reading)[:2]


def take(path: Path, reading: Reading) -> Taken:
    """The points of a file that were measured, or all of them.

    Raises:
        DataError: the file is missing, empty, truncated or of an unknown format, has no columns
            for x, y and z, nothing that was measured, or all points at one place; names it.
    """
    suffix = path.suffix.lower()
    if is_there(path) and suffix not in SUFFIXES:
        raise DataError(f"`{path}` is no point cloud (known: {', '.join(sorted(SUFFIXES))})")
    scan = attempted(path, lambda file: _scan(file, suffix, reading))
    which, left_out = np.ones(len(scan.points), bool), Counter[str]()
    if not reading.keep:
        which, left_out = measured(scan)
    if left_out and not which.any():
        raise DataError(f"nothing was measured in `{path}`: {told(left_out)}")
    points = scan.points if which.all() else scan.points[which]
    points = checked(points, f"`{path}`", reading.wanted.further)
    return Taken(points, left_out, which, scan.origin)


def _scan(path: Path, suffix: str, reading: Reading) -> Scan:
    if suffix == ".ply":
        return read_ply(path, reading.wanted, reading.mesh_points)
    if suffix in MESHES:
        return read_mesh(path, reading.wanted, reading.mesh_points)
    return _READERS[suffix](path, reading.wanted)


def is_there(path: Path) -> bool:
    """Whether it is a file; a name that no system allows is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def listed_lines(path: Path) -> list[str]:
    """The lines of a list, without blanks around them; empty ones are left out."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    return [line.strip() for line in text.split("\n") if line.strip()]


def attempted(path: Path, read: Callable[[Path], T]) -> T:
    """What `read` makes of a file.

    Raises:
        DataError: the file is missing, empty, or `read` does not understand it; names it.
    """
    if not is_there(path):
        raise DataError(f"there is no file `{path}`")
    if not path.stat().st_size:
        raise DataError(f"`{path}` is empty")
    try:
        with np.errstate(all="ignore"):  # what overflows is found among the points
            return read(path)
    except DataError:
        raise
    except Malformed as error:
        raise _unreadable(path, str(error)) from error
    except PermissionError as error:
        raise _unreadable(path, "its permissions do not allow it") from error
    except _BROKEN as error:
        raise _unreadable(path, "it is cut off, damaged, or something else") from error


def _unreadable(path: Path, reason: str) -> DataError:
    return DataError(f"`{path}` cannot be read as `{path.suffix.lower()}`: {reason}")


def checked(points: np.ndarray, which: str, extra: int = 0) -> np.ndarray:
    """The first columns (N, 3 + `extra`) as float64; `which` names the cloud in messages."""
    if points.ndim != 2 or points.shape[1] < 3 or points.dtype.kind not in "fiu":
        raise DataError(
            f"{which} holds {points.dtype} of the shape {points.shape}, not numbers of the shape"
            " (points, 3 or more)"
        )
    points = points[:, : 3 + extra].astype(np.float64)
    if not len(points):
        raise DataError(f"{which} has no points")
    with np.errstate(over="ignore"):
        finite = np.isfinite(points.astype(np.float32))
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        large = "too large" if np.isfinite(points[row, column]) else "NaN or infinite"
        what = "coordinate" if column < 3 else "further column"
        raise DataError(f"{which} has a {what} that is {large} (point {row})")
    if len(points) > 1 and not np.ptp(points[:, :3], axis=0).any():
        raise DataError(f"all {len(points)} points of {which} lie at one place")
    return points
