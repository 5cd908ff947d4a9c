"""A LAS file once more, with other classes.

Shapes: P points that were measured, Q all points of a file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onlay_pointcloud.data.readers import Reading, read_measured

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


def write_las(path: Path, source: Path, points_P3: np.ndarray, values_P: np.ndarray) -> None:
    """All of `source` with the classes of its points that were measured; the others keep theirs."""
    import laspy
    from sklearn.neighbors import KDTree

    every_Q3 = read_measured(source, Reading(keep=True))[0][:, :3]
    apart_Q1, index_Q1 = KDTree(points_P3).query(every_Q3)
    las = laspy.read(source)
    own_Q = np.asarray(las.classification)
    las.classification = np.where(apart_Q1[:, 0] == 0, values_P[index_Q1[:, 0]], own_Q)
    las.write(str(path))
