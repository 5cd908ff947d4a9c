"""Each planted defect of a protocol is named by its check, and healthy ones by none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from onlay import PluginHost
from onlay.cli import main
from onlay.testing import protocol_checks, run_checks
from onlay.testing.protocols import PROTOCOL_CHECKS

PLANTED = Path(__file__).parent / "planted" / "planted_protocols.py"
HOST = PluginHost.discover(files=[PLANTED])
KINDS = sys.modules["planted_protocols"].KINDS


@pytest.mark.parametrize("name", KINDS)
def test_a_planted_defect_is_caught_by_its_check(name: str) -> None:
    found = [o.check.name for o in run_checks("protocol", name, host=HOST) if not o.good]
    assert found[:1] == ([f"check_{KINDS[name][3]}"] if KINDS[name][3] else [])


def test_every_check_has_a_planted_defect() -> None:
    names = {check.name.removeprefix("check_") for check in PROTOCOL_CHECKS}
    elsewhere = {"registering_imports_no_torch"}  # a process for all kinds, tried with methods
    assert names - elsewhere == {check for *_, check in KINDS.values() if check}


@protocol_checks("healthy", host=HOST)
def test_the_same_as_tests(check: Callable[[], None]) -> None:
    check()


def test_the_command_checks_protocols() -> None:
    found = CliRunner().invoke(main, ["--plugin", str(PLANTED), "plugins", "check", "silent"])
    assert found.exit_code == 1
    assert "missing are [], not ['cats']" in found.output
