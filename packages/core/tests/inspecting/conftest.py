"""A model with a method that chooses, and what was seen of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from choosing import FILE

import onlay
from onlay import PluginHost
from onlay.inspecting import Observation
from onlay.pages.observing import observe


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginHost]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield PluginHost.discover(files=[FILE])
    sys.modules.pop("choosy", None)


@pytest.fixture
def model(host: PluginHost) -> onlay.AdaptedModel:
    return onlay.adapt("dots", "choosy", labels=["a", "b"], host=host)


@pytest.fixture
def seen(model: onlay.AdaptedModel) -> Observation:
    return observe(model, Path("x.dots"), torch.zeros(1, 3, 8, 8))
