"""Write noisy one-sided scans of solids: 360 in scans/KIND/, and 6 new ones in new-scans/."""

from pathlib import Path

import numpy as np
import trimesh

SOLIDS = {
    "barrel": lambda wide, high: trimesh.creation.cylinder(radius=wide / 2, height=high),
    "cone": lambda wide, high: trimesh.creation.cone(radius=wide / 2, height=high),
    "crate": lambda wide, high: trimesh.creation.box((wide, wide, high)),
}
random = np.random.default_rng(0)


def scan(kind: str, file: Path) -> None:
    """2,000 points in metres: of 4,000 on a solid's surface, the half that a sensor would see."""
    solid = SOLIDS[kind](*random.uniform(0.5, 1.5, 2))
    points, _ = trimesh.sample.sample_surface(solid, 4000, seed=random)
    direction = random.normal(size=3)
    seen = points[np.argsort(points @ direction)[-2000:]]
    file.parent.mkdir(parents=True, exist_ok=True)
    trimesh.PointCloud(seen + random.normal(scale=0.01, size=seen.shape)).export(file)


for kind in SOLIDS:
    for number in range(120):
        scan(kind, Path("scans", kind, f"{number:03d}.ply"))
    for number in (1, 2):
        scan(kind, Path("new-scans", f"{kind}-{number}.ply"))
