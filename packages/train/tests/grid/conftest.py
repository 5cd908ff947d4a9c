from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from finished import SCORES, finish

from onlay.host import PluginHost
from onlay_train.grid.file import GridConfig, parsed
from onlay_train.grid.plan import Plan, make_plan

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


@pytest.fixture
def plan(make: Make, host: PluginHost, root: Path) -> Plan:
    """Three methods with three seeds each, all done; by `SCORES`."""
    grid = make({"method": list(SCORES), "train.seed": [0, 1, 2]})
    plan = make_plan(grid, host, root, {})
    for cell in plan.cells():
        method, seed = cell.labels["method"], int(cell.labels["train.seed"])
        score = SCORES[method][seed]
        finish(plan.folder(cell), cell, score, {"full": 900, "noisy": 90, "linear": 0}[method])
    return plan
