"""What laser scanners and depth cameras write: `.las`, `.laz`, `.pcd`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onlay_pointcloud.data.bounds import Malformed


def read_las(path: Path) -> np.ndarray:
    """Coordinates (N, 3) about the middle of the file's bounding box.

    Maps count metres from far away, where float32 has only centimetres left.
    """
    import laspy

    try:
        xyz = np.asarray(laspy.read(path).xyz)
    except laspy.errors.LaspyException as error:
        raise Malformed(str(error)) from error
    return xyz - (xyz.min(0) + xyz.max(0)) / 2 if len(xyz) else xyz


def read_pcd(path: Path) -> np.ndarray:
    """The fields x, y, z (N, 3) of a `.pcd` file: text, binary or compressed."""
    from pypcd4 import PointCloud

    cloud = PointCloud.from_path(path)
    missing = [f"`{axis}`" for axis in "xyz" if axis not in cloud.fields]
    if missing:
        raise Malformed(f"it has no field {missing[0]} (have: {', '.join(cloud.fields)})")
    xyz = cloud.numpy(("x", "y", "z"))
    if len(xyz) != cloud.points:
        raise Malformed(f"its header promises {cloud.points} points and it has {len(xyz)}")
    return xyz
