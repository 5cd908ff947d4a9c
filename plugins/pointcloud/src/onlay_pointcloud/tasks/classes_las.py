"""A LAS file once more, with other classes.

Shapes: P points that were taken from a file, Q all of its points.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

_MOST = {True: 255, False: 31}
"""The largest class of point formats from 6 on, and of those before."""


def holds(source: Path, values: list[int]) -> bool:
    """Is it a LAS file whose format has room for classes of these numbers?"""
    if source.suffix.lower() not in (".las", ".laz") or not source.is_file():
        return False
    import laspy

    with laspy.open(source) as file:
        most = _MOST[file.header.point_format.id >= 6]
    return all(0 <= value <= most for value in values)


def write_las(path: Path, source: Path, which_Q: np.ndarray, values_P: np.ndarray) -> None:
    """All of `source` with the classes of the points that were taken; the others keep theirs."""
    import laspy

    las = laspy.read(source)
    classes_Q = np.array(las.classification)
    classes_Q[which_Q] = values_P
    las.classification = classes_Q
    las.write(str(path))
