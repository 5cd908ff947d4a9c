"""A protocol that is no benchmark's: two data sets in folders below the root."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from onlay.descriptors import Protocol
from onlay.hooks import hookimpl


@hookimpl
def register_protocols() -> Iterable[Protocol]:
    summary = "two small sets"
    for name in ("small", "wrong"):
        path = f"{__name__}:{name}"
        yield Protocol(name=name, modality="image", grid=path, summary=summary)


def small(root: Path) -> dict[str, Any]:
    data = {n: {"data": {"name": "image_folder", "path": root / n}} for n in ("ants", "bees")}
    return {
        "grid": {"method": ["linear"], "data": data, "train.seed": (0, 1)},
        "base": {"data": {"val_size": 0}, "train": {"epochs": 7}},
        "search": {"keys": {"train.lr": [0.1, 0.2]}, "settings": {"data.val_size": 0.5}},
        "recipes": {
            "presets": ["of-{data}", "of-all"],
            "others": {"train": {"lr": 0.125}},
            "methods": {"full": {"train": {"lr": 0.5}}},
        },
    }


def wrong(root: Path) -> dict[str, Any]:
    return {"grid": {"method": ["linear"]}}
