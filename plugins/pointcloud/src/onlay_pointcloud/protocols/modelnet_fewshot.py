"""ModelNet40's few-shot episodes in the pickles of Point-BERT's authors, ten of each kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onlay_pointcloud.data.modelnet40_files import episodes
from onlay_pointcloud.protocols.recipes import notes, recipes, sizes

HOMES = ("ModelNetFewshot", "ModelNet/ModelNetFewshot", "")
"""Below the root; the first that has an episode is taken, else the first."""
KINDS = {f"{way}w{shot}s": (way, shot) for way in (5, 10) for shot in (10, 20)}
FOLDS = range(10)
NOTE = (
    "Means and deviations are over the ten episodes of a kind, of their last epochs; published ones"
    " are of each episode's best epoch on its test part."
)


def grid(root: Path) -> dict[str, Any]:
    """All four kinds, whether they are there or not."""
    data = {
        kind: {
            "data": {
                "name": "modelnet_fewshot",
                "path": _home(root, *own),
                "way": own[0],
                "shot": own[1],
            }
        }
        for kind, own in KINDS.items()
    }
    axes = {"method": ["linear", "full"], "data": data, "data.fold": list(FOLDS)}
    return {
        "grid": {**axes, "train.seed": [0]},
        "base": {
            "backbone": sizes(1024, 64),
            "data": {"preprocess": {"augment": "scale_translate"}},
            "train": {"selection": "last"},
        },
        "recipes": recipes("fewshot", epochs=150),
        "report": {
            "groups": {"episodes": list(KINDS)},
            "notes": notes({"say": NOTE, "when": {"train.selection": "last"}}),
        },
    }


def missing(root: Path) -> dict[str, str]:
    """Of which kind an episode is not there."""
    places = " or ".join(f"`{root / home}`" for home in HOMES)
    return {
        kind: f"not all of `{episodes(Path(), *own, 0)[0]}` to `9.pkl` are in {places}"
        for kind, own in KINDS.items()
        if not all(_there(_home(root, *own), *own, fold) for fold in FOLDS)
    }


def _home(root: Path, way: int, shot: int) -> Path:
    homes = [root / home for home in HOMES]
    return next((home for home in homes if _there(home, way, shot, 0)), homes[0])


def _there(home: Path, way: int, shot: int, fold: int) -> bool:
    return any(path.is_file() for path in episodes(home, way, shot, fold))
