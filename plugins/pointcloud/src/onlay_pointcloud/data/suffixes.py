"""Which files are point clouds, by their names."""

from __future__ import annotations

MESHES = frozenset({".glb", ".obj", ".off", ".ply", ".stl"})
"""What may have faces."""

LIDAR = frozenset({".las", ".laz", ".pcd"})

TABLES = frozenset({".csv", ".npy", ".npz", ".txt", ".xyz"})

SUFFIXES = MESHES | LIDAR | TABLES
