"""How many points clouds have, by reading all of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from onlay_pointcloud.data.columns import Wanted
from onlay_pointcloud.data.config import CloudPreprocess
from onlay_pointcloud.data.readers import Reading, read_measured


def measure(config: Any) -> partial[tuple[int]]:
    """Of the settings of a data set: what gives the number of points, of a mesh those that are
    sampled on it."""
    preprocess: CloudPreprocess = getattr(config, "preprocess", CloudPreprocess())
    wanted = Wanted(tuple(preprocess.columns or ()), tuple(preprocess.extra))
    return partial(extent, Reading(wanted=wanted, keep=preprocess.unmeasured == "keep"))


def extent(reading: Reading, source: Path) -> tuple[int]:
    """Points that were measured.

    Raises:
        DataError: it cannot be read; names it.
    """
    points, _ = read_measured(source, reading)
    return (len(points),)
