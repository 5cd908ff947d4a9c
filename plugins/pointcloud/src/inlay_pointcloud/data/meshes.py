"""Points and meshes that trimesh reads; of meshes, points on their surface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def read_mesh(path: Path, count: int) -> np.ndarray:
    """The vertices (N, 3) of a file without faces; else `count` points (count, 3), spread evenly
    over the surface by chance, the same every time."""
    import trimesh

    with path.open("rb") as file:
        kind = path.suffix.lower()[1:]
        scene = trimesh.load_scene(file, file_type=kind, process=False, skip_materials=True)
    parts: list[Any] = scene.dump()
    meshes = [part for part in parts if len(getattr(part, "faces", ()))]
    if not meshes:
        return np.concatenate([np.asarray(part.vertices) for part in parts])
    whole: Any = trimesh.util.concatenate(meshes)
    if not whole.area > 0:
        raise ValueError("its faces have no area")
    return np.asarray(trimesh.sample.sample_surface(whole, count, seed=0)[0])
