"""The host of made-up plugins, and the smallest run."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from bend_zoo import (
    provides,
    register_backbones,
    register_datasets,
    register_methods,
)

from onlay import PluginHost
from onlay.host import builtin


@pytest.fixture
def host(monkeypatch):
    module = ModuleType("fake")
    for function in (register_methods, register_backbones, register_datasets, provides):
        setattr(module, function.__name__, function)
    monkeypatch.setitem(sys.modules, "fake", module)
    host = PluginHost()
    host.add(builtin, name="core", distribution="onlay", version="0.2.0")
    record = host.add(module, name="fake", distribution="onlay-fake", version="4.2")
    assert record.status == "ok", record.reason
    return host


@pytest.fixture
def data():
    return {"backbone": "zoo_tiny_16", "method": "bend", "data": {"name": "photos", "root": "pets"}}
