"""Points without a header, or with one of numbers alone: Velodyne's `.bin`, Leica's `.ptx`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onlay_pointcloud.data.arrays import chosen
from onlay_pointcloud.data.bounds import Malformed, enough
from onlay_pointcloud.data.columns import Wanted
from onlay_pointcloud.data.rows import lines_of, number
from onlay_pointcloud.data.scan import Scan

_BIN = ("x", "y", "z", "intensity", "ring")
_WIDTHS = (3, 4, 5, 6)
"""Numbers that a point may have in a file that does not say it."""

_CLEAR = 0.05
"""How much closer together the columns of the right width are than those of any other. Measured:
0.1 and more in scans and in objects cut from them, under 0.01 where every column is alike."""

_PTX_HEADER = 10
"""Lines: columns, rows, where the scanner stood (4), how to turn and shift its points (4)."""


def read_bin(path: Path, wanted: Wanted) -> Scan:
    """KITTI's float32 x, y, z, intensity, or nuScenes' with a ring behind them (`.pcd.bin`).

    Raises:
        Malformed: not as many bytes, an intensity below 0, or numbers that may as well be another
            number of columns.
    """
    content = path.read_bytes()
    fitting = {
        width: np.frombuffer(content, "<f4").reshape(-1, width)
        for width in _WIDTHS
        if len(content) % (4 * width) == 0
    }
    widths = (5,) if path.name.lower().endswith(".pcd.bin") else (4, 5)
    scans = [width for width in widths if width in fitting and _is_scan(fitting[width])]
    if not scans:
        raise Malformed("it is not x, y, z and an intensity (0 or more) of 4 bytes each")
    spreads = {width: _spread(rows) for width, rows in fitting.items()}
    found = min(scans, key=lambda width: spreads[width])
    other = min(
        (width for width in fitting if width != found), key=spreads.__getitem__, default=None
    )
    if other and spreads[found] > spreads[other] - _CLEAR:
        raise Malformed(
            f"it does not say whether a point has {found} numbers or {other}: write it as `.npy`,"
            " which does"
        )
    return Scan(chosen(dict(zip(_BIN, fitting[found].T, strict=False)), wanted))


def _is_scan(rows: np.ndarray) -> bool:
    """Intensities are 0 or more, rings whole numbers."""
    return bool((rows[:, 3] >= 0).all() and (rows[:, 4:] == np.floor(rows[:, 4:])).all())


def _spread(rows: np.ndarray) -> float:
    """The mean logarithm of the columns' deviations: read with a wrong width, a column holds a bit
    of several, and is wider than these."""
    rows = rows[np.isfinite(rows).all(1)].astype(np.float64)
    if not len(rows):
        return np.inf
    least = 1e-6 * np.abs(rows).max() + 1e-30
    return float(np.log(np.maximum(rows.std(0), least)).mean())


def read_ptx(path: Path, wanted: Wanted) -> Scan:
    """Scans one after the other, each moved to where its header says; a place without an echo is
    (0, 0, 0) there, and stays so."""
    lines, start, scans = lines_of(path), 0, []
    while start < len(lines):
        end = start + _PTX_HEADER + _points(lines[start : start + 2])
        enough(end, len(lines), "points by its lines")
        scans.append(_moved(lines[start:end]))
        start = end
    if len({scan.shape[1] for scan in scans}) != 1:
        raise Malformed("its scans have different columns")
    rows = np.concatenate(scans)
    names = ("x", "y", "z", "intensity", "r", "g", "b")[: rows.shape[1]]
    return Scan(chosen(dict(zip(names, rows.T, strict=True)), wanted))


def _points(lines: list[str]) -> int:
    if len(lines) < 2 or not all(line.isascii() and line.isdecimal() for line in lines):
        raise Malformed("a scan does not begin with its numbers of columns and rows")
    return int(lines[0][:10]) * int(lines[1][:10])


def _moved(lines: list[str]) -> np.ndarray:
    """Rows (N, 4 or 7) of one scan; its matrix is for row vectors."""
    matrix = _floats(lines[6:_PTX_HEADER], 4)
    rows = _floats(lines[_PTX_HEADER:], None)
    echo = rows[:, :3].any(1)
    rows[echo, :3] = rows[echo, :3] @ matrix[:3, :3] + matrix[3, :3]
    return rows


def _floats(lines: list[str], width: int | None) -> np.ndarray:
    rows = [[number(field) for field in line.split()] for line in lines]
    width = width or len(rows[0] if rows else ())
    if not 4 <= width <= 7 or any(len(row) != width or None in row for row in rows):
        raise Malformed("its rows are not x y z intensity, and perhaps r g b")
    return np.array(rows, dtype=np.float64)
