"""Networks of the authors' sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from official_files import UNTOUCHED

from onlay_pointcloud.backbones.build import empty
from onlay_pointcloud.backbones.config import (
    PublishedBackbone,
)
from onlay_pointcloud.network.point_mae import PointMae


@pytest.fixture(scope="module")
def network() -> Callable[[PublishedBackbone], PointMae]:
    """The full-size network of a config; weights alone differ from test to test."""
    made: dict[Any, PointMae] = {}

    def make(config: PublishedBackbone) -> PointMae:
        key = config.name, getattr(config, "class_token", True)
        if key not in made:
            made[key] = empty(config, **({"embed": 256} if config.name == "point_bert" else {}))
        for tensor in made[key].state_dict().values():
            tensor.fill_(UNTOUCHED)
        return made[key]

    return make
