"""What laser scanners write: `.las`, `.laz`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from onlay_pointcloud.data.bounds import Malformed, enough, unpackable
from onlay_pointcloud.data.columns import Wanted
from onlay_pointcloud.data.laz import check_laz
from onlay_pointcloud.data.scan import Scan, no_echo

NOISE = (7, 18)
"""Low and high noise among the classes that the format fixes."""


def read_las(path: Path, wanted: Wanted) -> Scan:
    """Coordinates (N, 3) about the middle of the bounding box of what is no noise.

    Maps count metres from far away, where float32 has only centimetres left.
    """
    import laspy

    try:
        return _scan(_read(path), wanted)
    except laspy.errors.LaspyException as error:
        raise Malformed("it is cut off, damaged, or of an unknown version") from error
    except BaseException as error:
        # lazrs, in Rust, panics on some damaged files
        if type(error).__name__ not in ("PanicException", "LazrsError"):
            raise
        raise Malformed("its compressed points are damaged") from error


def _read(path: Path) -> Any:
    import laspy

    _check_header(path)
    with laspy.open(path) as file:
        header = file.header
        promised = header.point_count * header.point_format.size
        what = f"{header.point_count:,} points"
        if header.are_points_compressed:
            unpackable(promised, path, what)
            check_laz(path)
        else:
            enough(promised, path.stat().st_size - header.offset_to_point_data, what)
        return file.read()


def _check_header(path: Path) -> None:
    """laspy reads as many records about the file as it says to have, whether they are there or
    not."""
    with path.open("rb") as file:
        start = file.read(375)
    if start[:4] != b"LASF" or len(start) < 227:
        raise Malformed("it does not begin as `.las` files do")
    count = int.from_bytes(start[100:104], "little")
    enough(54 * count, path.stat().st_size, f"{count:,} records")
    if start[25] >= 4 and len(start) == 375:
        count = int.from_bytes(start[243:247], "little")
        enough(60 * count, path.stat().st_size, f"{count:,} records at its end")


def _scan(las: Any, wanted: Wanted) -> Scan:
    columns = {axis: np.asarray(getattr(las, axis), np.float64) for axis in "xyz"}
    names = [name for name in las.point_format.dimension_names if name not in ("X", "Y", "Z")]
    places = wanted.among([*columns, *names])
    each = [columns.get(name, las[name]) if name in columns else las[name]
            for name in ([*columns, *names][place] for place in places)]  # fmt: skip
    points = np.stack([np.asarray(column, np.float64) for column in each], axis=1)
    noise = np.isin(np.asarray(las.classification), NOISE)
    if "withheld" in names:
        noise |= np.asarray(las.withheld, bool)
    empty = no_echo(points)
    used = points[~(noise | empty), :3]
    if not len(used):
        used = points[:, :3]
    middle = (used.min(0) + used.max(0)) / 2 if len(used) else np.zeros(3)
    points[:, :3] -= middle
    return Scan(points, noise, empty, middle)
