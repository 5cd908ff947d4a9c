"""The whole contract of every method of the zoo: the plugins' own tests ask less of them."""

from __future__ import annotations

import pytest

from onlay import PluginHost
from onlay.testing import run_checks

HOST = PluginHost.discover()
ZOO = {"onlay-baselines", "onlay-cloud-methods", "onlay-dyt"}
"""Distributions of many methods that are each a few lines."""
METHODS = [name for name in HOST.methods if HOST.owner("method", name).distribution in ZOO]


@pytest.mark.parametrize("method", METHODS)
def test_contract(method: str) -> None:
    outcomes = [*run_checks("method", method, host=HOST)]
    assert len(outcomes) > 40
    assert not [(o.check.name, o.reason) for o in outcomes if not o.good]
