"""Import paths of a descriptor that fail: the sentence names the plugin."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Literal

import pytest

import onlay
from onlay import PluginHost, hookimpl
from onlay.descriptors import Method
from onlay.errors import PluginError
from onlay.settings import Config
from onlay.testing import tiny_backbone


class CountedConfig(Config):
    name: Literal["counted"] = "counted"


def failing(config: object, anatomy: object) -> int:
    raise KeyError("rank")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere:count", "`nowhere:count`: ModuleNotFoundError"),
        (f"{__name__}:failing", "`method `counted``: KeyError: 'rank'"),
    ],
)
def test_a_count_that_fails_is_its_plugins(path: str, said: str) -> None:
    @hookimpl
    def register_methods():
        config, attach = f"{__name__}:CountedConfig", "onlay.methods.attach:linear"
        yield Method(name="counted", config=config, attach=attach, count=path, summary="counts")

    host = PluginHost.discover(only="")
    host.add(SimpleNamespace(register_methods=register_methods), name="counting")
    with pytest.raises(PluginError, match=rf"plugin `counting.*` failed in {said}"):
        onlay.adapt(tiny_backbone(), "counted", num_classes=2, host=host)
