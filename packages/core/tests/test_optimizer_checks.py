"""Each planted defect of an optimizer is named by its check, and healthy ones by none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from onlay import PluginHost
from onlay.cli import main
from onlay.testing import optimizer_checks, run_checks
from onlay.testing.optimizers import OPTIMIZER_CHECKS

PLANTED = Path(__file__).parent / "planted" / "planted_optimizers.py"
HOST = PluginHost.discover(files=[PLANTED])
KINDS = sys.modules["planted_optimizers"].KINDS


@pytest.mark.parametrize("name", KINDS)
def test_a_planted_defect_is_caught_by_its_check(name: str) -> None:
    found = [o.check.name for o in run_checks("optimizer", name, host=HOST) if not o.good]
    assert found[:1] == ([f"check_{KINDS[name][1]}"] if KINDS[name][1] else [])


def test_every_check_has_a_planted_defect() -> None:
    names = {check.name.removeprefix("check_") for check in OPTIMIZER_CHECKS}
    elsewhere = {"registering_imports_no_torch"}  # a process for all kinds, tried with methods
    assert names - elsewhere == {check for _, check in KINDS.values() if check}


@optimizer_checks("healthy", host=HOST)
def test_the_same_as_tests(check: Callable[[], None]) -> None:
    check()


def test_the_command_checks_optimizers() -> None:
    found = CliRunner().invoke(main, ["--plugin", str(PLANTED), "plugins", "check", "forgetful"])
    assert found.exit_code == 1
    assert "broken    goes on from its state" in found.output
    assert "`matrix`, `shift` differ after two more steps" in found.output
