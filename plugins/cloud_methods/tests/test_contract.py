"""The contract of the methods for clouds: what a file of their own can break."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from onlay import PluginHost
from onlay.testing import run_checks


@pytest.mark.parametrize("method", ["pointgst", "idpt", "stag", "ppt", "point_peft"])
def test_contract(method: str, keeps_its_contract: Callable[[str], None]) -> None:
    keeps_its_contract(method)


def test_registering_imports_no_torch(host: PluginHost) -> None:
    """Of one: they are registered together."""
    (found,) = run_checks("method", "pointgst", host=host, words="imports_no_torch")
    assert found.good, found.reason
