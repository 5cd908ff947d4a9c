"""ModelNet40 (Wu et al. 2015), 1,024 points in 64 groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onlay_pointcloud.data.modelnet40_files import PATTERNS
from onlay_pointcloud.protocols.recipes import notes, recipes, search, sizes

HOMES = (
    "ModelNet/modelnet40_normal_resampled",
    "modelnet40_normal_resampled",
    "ModelNet40/modelnet40_normal_resampled",
    "modelnet40_ply_hdf5_2048",
    "ModelNet40",
    "",
)
"""Below the root; the first that has files is taken, else the first."""

NOTE = (
    "1,024 points and no voting: figures with 8,192 points or voted ones are not to be compared,"
    " and weights that were trained on 8,192 lose much on 1,024."
)


def grid(root: Path) -> dict[str, Any]:
    """The data set, whether it is there or not."""
    homes = [root / home for home in HOMES]
    path = next(filter(_there, homes), homes[0])
    augmented = {"val_size": 0, "preprocess": {"augment": "scale_translate"}}
    data = {"modelnet40": {"data": {"name": "modelnet40", "path": path}}}
    return {
        "grid": {"method": ["linear", "full"], "data": data, "train.seed": [0, 1, 2]},
        "base": {
            "backbone": sizes(1024, 64),
            "data": augmented,
            "train": {"selection": "last"},
        },
        "recipes": recipes("{data}"),
        "search": search(),
        "report": {"notes": notes({"say": NOTE, "when": {"backbone.npoints": 1024}})},
    }


def missing(root: Path) -> dict[str, str]:
    homes = [root / home for home in HOMES]
    if any(map(_there, homes)):
        return {}
    looked = ", ".join(f"`{home}`" for home in homes)
    files = ", ".join(f"`{pattern}`" for pattern in PATTERNS.values())
    return {"modelnet40": f"none of {files} in {looked}"}


def _there(home: Path) -> bool:
    return any(next(home.glob(pattern), None) for pattern in PATTERNS.values())
