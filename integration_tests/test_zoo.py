"""Whole contracts of what takes long: core's own methods and the zoo's, of which the unit tests ask
less, and of a large backbone."""

from __future__ import annotations

import os

import pytest

from onlay import PluginHost
from onlay.testing import run_checks

pytestmark = pytest.mark.skipif(
    os.environ.get("ONLAY_EXPECT") != "all" or "ONLAY_WHEELS" in os.environ,
    reason="once is enough, in the set all of editable sources",
)
HOST = PluginHost.discover()
BRING = {"onlay", "onlay-baselines", "onlay-cloud-methods", "onlay-dyt"}
"""Distributions of methods that are each a few lines."""
METHODS = [name for name in HOST.methods if HOST.owner("method", name).distribution in BRING]


@pytest.mark.parametrize("method", METHODS)
def test_contract(method: str) -> None:
    outcomes = [*run_checks("method", method, host=HOST)]
    assert len(outcomes) > 40
    assert not [(o.check.name, o.reason) for o in outcomes if not o.good]


@pytest.mark.parametrize("backbone", ["recon"])
def test_contract_of_a_backbone(backbone: str) -> None:
    outcomes = [*run_checks("backbone", backbone, host=HOST)]
    assert len(outcomes) > 20
    assert not [(o.check.name, o.reason) for o in outcomes if not o.good]
