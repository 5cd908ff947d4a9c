"""The contract of a method: what its file can break, and what is DyT's own to break."""

from __future__ import annotations

from collections.abc import Callable

from onlay import PluginHost
from onlay.testing import run_checks

OWN = "imports_no_torch or partial_activity or random or effect or not_contiguous"
"""Gates that draw, and rows that are left out."""


def test_contract(keeps_its_contract: Callable[[str], None]) -> None:
    keeps_its_contract("dyt")


def test_gates(host: PluginHost) -> None:
    found = [*run_checks("method", "dyt", host=host, words=OWN)]
    assert len(found) == 5
    assert not [(o.check.name, o.reason) for o in found if not o.good]
