"""Each planted defect of a backbone is named by its check, and the healthy one by none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from onlay import PluginHost
from onlay.errors import OnlayError
from onlay.testing import backbone_checks
from onlay.testing.backbones import BACKBONE_CHECKS
from onlay.testing.backbones.case import backbone_cases
from onlay.testing.checking import outcomes

HOST = PluginHost.discover(files=[Path(__file__).parent / "planted" / "planted_backbones.py"])
DEFECTS = sys.modules["planted_backbones"].DEFECTS


@pytest.mark.parametrize("name", [name for name in DEFECTS if DEFECTS[name].check])
def test_a_planted_defect_is_caught_by_the_check_that_names_it(name: str) -> None:
    defect = DEFECTS[name]
    checks = [check for check in BACKBONE_CHECKS if check.name == f"check_{defect.check}"]
    (outcome,) = outcomes(checks, backbone_cases(name, HOST), {})
    assert not outcome.good
    assert defect.clue in outcome.reason


@backbone_checks("healthy", host=HOST)
def test_no_alarm_on_the_healthy_one(check: Callable[[], None]) -> None:
    check()


def test_every_check_has_a_planted_defect() -> None:
    """But those of settings, which are the same for methods."""
    settings = {"registering_imports_no_torch", "settings_round_trip", "settings_are_described"}
    names = {check.name.removeprefix("check_") for check in BACKBONE_CHECKS}
    assert names - settings == {defect.check for defect in DEFECTS.values() if defect.check}


def test_a_backbone_without_examples_is_told_in_a_sentence() -> None:
    with pytest.raises(OnlayError, match="`without_example` declares no `examples`"):
        backbone_cases("without_example", HOST)


def test_every_contract_is_one_sentence() -> None:
    for check in BACKBONE_CHECKS:
        assert check.contract.endswith("."), check.name
        assert ". " not in check.contract, check.name
