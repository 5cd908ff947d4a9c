"""Each planted defect of a decoder is named by its check, and a healthy one by none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from onlay import PluginHost
from onlay.cli import main
from onlay.testing import decoder_checks, run_checks
from onlay.testing.decoders import DECODER_CHECKS

PLANTED = Path(__file__).parent / "planted" / "planted_decoders.py"
HOST = PluginHost.discover(files=[PLANTED])
KINDS = sys.modules["planted_decoders"].KINDS


@pytest.mark.parametrize("name", KINDS)
def test_a_planted_defect_is_caught_by_its_check(name: str) -> None:
    words = "" if KINDS[name][1] in ("", "exports_with_any_batch") else "not exports"
    found = [
        o.check.name for o in run_checks("decoder", name, host=HOST, words=words) if not o.good
    ]
    assert found[:1] == ([f"check_{KINDS[name][1]}"] if KINDS[name][1] else [])


def test_every_check_has_a_planted_defect() -> None:
    names = {check.name.removeprefix("check_") for check in DECODER_CHECKS}
    elsewhere = {"registering_imports_no_torch"}  # a process for all kinds, tried with methods
    assert names - elsewhere == {check for _, check in KINDS.values() if check}


@decoder_checks("healthy", host=HOST)
def test_the_same_as_tests(check: Callable[[], None]) -> None:
    check()


def test_the_command_checks_and_explains_decoders() -> None:
    planted = ["--plugin", str(PLANTED)]
    found = CliRunner().invoke(main, [*planted, "plugins", "check", "idle", "-k", "gradient"])
    assert found.exit_code == 1
    assert "broken    every parameter gets a gradient" in found.output
    assert "no gradient reaches `spare.weight`, `spare.bias`" in found.output
    explained = CliRunner().invoke(main, [*planted, "explain", "undescribed"])
    assert "decoder undescribed (planted_decoders" in explained.output
    assert "reads 2 maps: maps of one size or a pyramid" in explained.output
