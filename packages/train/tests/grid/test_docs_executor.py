"""The executor in the documentation: the very file that its page quotes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from onlay import PluginHost
from onlay.descriptors import resolve
from onlay.testing import run_checks

FILE = Path(__file__).parents[4] / "docs" / "examples" / "wrapped_executor.py"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginHost]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield PluginHost.discover(files=[FILE])
    sys.modules.pop("wrapped_executor", None)


def test_it_keeps_the_contract_of_an_executor(host: PluginHost) -> None:
    outcomes = list(run_checks("executor", "wrapped", host=host))
    assert [outcome for outcome in outcomes if not outcome.good] == []
    assert sum(outcome.verdict == "kept" for outcome in outcomes) >= 10


def test_calls_run_behind_the_command(host: PluginHost, tmp_path: Path) -> None:
    executor = host.find("executor", "wrapped")
    config = executor.config(command=("nice", "-n", "7"))
    pool = resolve(executor.build)(config, tmp_path)
    own = os.nice(0)
    assert pool.submit(os.nice, 0).result() == min(own + 7, 19)
    pool.shutdown()
