"""Categories of shapes, their parts, and clouds in halves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onlay.data import Splits
from onlay_pointcloud.network.point_mae import PointMae

CATEGORIES = {"Mug": [0, 1], "Rocket": [2, 3, 4]}
LABELS = ("Mug 0", "Mug 1", "Rocket 0", "Rocket 1", "Rocket 2")

Small = Callable[..., PointMae]


def splits(categories: dict[str, list[int]] | None = CATEGORIES) -> Splits:
    facts = {} if categories is None else {"categories": categories}
    nothing: Any = []
    return Splits(
        train=nothing, validation=None, test=None, labels=LABELS, preprocessing={}, facts=facts
    )
