"""The contract of a method, for all of them: what a file of its own can break."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from onlay import PluginHost
from onlay.testing import run_checks

BROUGHT = [n for n, m in PluginHost.discover().methods.items() if m.attach.startswith("onlay_base")]


@pytest.mark.parametrize("method", BROUGHT)
def test_contract(method: str, keeps_its_contract: Callable[[str], None]) -> None:
    keeps_its_contract(method)


def test_registering_imports_no_torch(host: PluginHost) -> None:
    """Of one: they are registered together."""
    (found,) = run_checks("method", BROUGHT[0], host=host, words="imports_no_torch")
    assert found.good, found.reason
