from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onlay.host import PluginHost
from onlay_train.grid.file import GridConfig, parsed

TINY = {
    "backbone": "tiny",
    "data": "stripes",
    "train": {"epochs": 1, "batch_size": 4, "trackers": [], "log_every": 1},
}
Make = Callable[..., GridConfig]


@pytest.fixture
def make(host: PluginHost) -> Make:
    """`make({"method": ["noisy"]}, search={...})`: a grid over the small run of these tests."""

    def grid(axes: dict[str, Any], **more: Any) -> GridConfig:
        return parsed({"grid": axes, "base": TINY, **more}, host)

    return grid


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "compare"
