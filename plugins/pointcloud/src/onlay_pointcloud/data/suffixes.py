"""Which files are point clouds, by their names."""

from __future__ import annotations

MESHES = frozenset({".glb", ".obj", ".off", ".ply", ".stl"})
"""What may have faces."""

SCANS = frozenset({".bin", ".las", ".laz", ".pcd", ".ptx"})

TABLES = frozenset({".asc", ".csv", ".pts", ".tsv", ".txt", ".xyz", ".xyzn", ".xyzrgb"})

ARRAYS = frozenset({".npy", ".npz"})

SUFFIXES = MESHES | SCANS | TABLES | ARRAYS
