"""Data sets with objects that tests write and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from onlay import PluginHost
from onlay.config import parse
from onlay_dense.data.samples import paint
from onlay_image.data.samples import draw

HOST = PluginHost.discover()
SPEC = {"img_size": [20, 28], "mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bilinear"}
SPEC |= {"crop_pct": 1.0, "in_chans": 3}
KINDS = {"boxes": "boxes", "masks": "mask"}


def read(name: str, settings: Any, verb: str = "build", last: Any = 0) -> Any:
    config = parse("dataset", {"name": name, **settings}, HOST)
    found = HOST.load("dataset", name, verb)(config, SPEC, last)
    for part in (found.train, found.test) if verb == "build" else [found.everything]:
        if part is not None:
            part.move_targets(KINDS)
    return found


def maps(folder: Path, drawn: np.ndarray, **settings: Any) -> dict[str, Any]:
    """Three images with this map, without parts."""
    for number in range(3):
        draw(folder / f"images/{number}.png", number)
        paint(folder / f"instances/{number}.png", drawn)
    return {"path": folder, "test_size": 0, "val_size": 0, **settings}
