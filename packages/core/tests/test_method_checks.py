"""The kit is no rubber stamp: each planted defect is named by its check, and healthy methods by
none."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import torch

from onlay import PluginHost
from onlay.errors import ConfigError, OnlayError, UnknownName
from onlay.testing import method_checks, ranks, registered
from onlay.testing.case import method_cases
from onlay.testing.checking import Check, outcomes
from onlay.testing.choosing import chosen
from onlay.testing.methods import METHOD_CHECKS

pytest_plugins = ["pytester"]
PLANTED = Path(__file__).parent / "planted" / "planted.py"
HOST = PluginHost.discover(files=[PLANTED])
QUICK = "not compiles and not exports and not another_process"
DEFECTS = sys.modules["planted"].DEFECTS


def only(name: str, *checks: str) -> dict[str, str]:
    """Reasons of the broken ones among the named checks."""
    chosen = [check for check in METHOD_CHECKS if check.name in checks]
    found = outcomes(chosen, method_cases(name, HOST), {})
    return {o.check.name: o.reason for o in found if not o.good}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_defect_is_caught_by_the_check_that_names_it(name):
    check = f"check_{DEFECTS[name].check}"
    assert DEFECTS[name].clue in only(name, check)[check]


def test_every_check_has_a_planted_defect():
    """But one that has a test of its own below, one that needs an accelerator, and what core alone
    could break."""
    elsewhere = {"registering_imports_no_torch", "bundle_of_an_accelerator_loads_on_the_cpu"}
    elsewhere |= {"attaching_twice_is_refused", "folding_twice_changes_nothing"}
    names = {check.name.removeprefix("check_") for check in METHOD_CHECKS}
    assert names - elsewhere == {defect.check for defect in DEFECTS.values()}


def test_a_defect_breaks_no_other_check():
    """A failure points at its cause."""
    checks, cases = chosen(METHOD_CHECKS, QUICK), method_cases("left_behind", HOST)[:1]
    broken = {o.check.name for o in outcomes(checks, cases, {}) if not o.good}
    assert broken == {f"check_{DEFECTS['left_behind'].check}"}


@method_checks("healthy", host=HOST)
def test_no_alarm_on_the_healthy_one(check):
    check()


@pytest.mark.parametrize("name", ["healthy_mean", "healthy_told"])
def test_no_alarm_on_what_moves_and_tells(name):
    """A running mean that moves in each pass makes no two passes differ; what is told is right."""
    found = [*outcomes(chosen(METHOD_CHECKS, QUICK), method_cases(name, HOST), {})]
    assert not [(o.check.name, o.reason) for o in found if not o.good]
    told = {o.check.name for o in found if o.verdict == "kept"}
    own = {"check_figures_change_nothing", "check_what_is_prepared_is_in_the_bundle"}
    assert (own <= told) == (name == "healthy_told")


@pytest.mark.parametrize("tried", ["every", "usual", "one", "together"])
def test_what_a_predicate_raises_breaks_its_check_and_the_others_go_on(tried):
    def torn(case):
        raise OSError("nobody knows")

    def check_this(case):
        """Holds."""

    checks = [Check(check_this, torn, tried=tried), Check(check_this, tried=tried)]
    first, second = outcomes(checks, method_cases("healthy", HOST)[:1], {})
    assert (first.verdict, second.verdict) == ("broken", "kept")
    assert first.reason.startswith("OSError: nobody knows with `healthy` (defaults) on")


@pytest.mark.parametrize("name", ["full", "linear", "bitfit"])
def test_no_alarm_on_the_built_in_methods(name, keeps_its_contract):
    keeps_its_contract(name)


def test_the_first_model_of_a_case_starts_as_all_others_do():
    """What is looked up at first draws random numbers, too; checks run in any order."""
    for name in ("bitfit", "full"):
        fresh = method_cases(name, HOST)[0]
        first, second = fresh.model().state_dict(), fresh.model().state_dict()
        assert all(torch.equal(first[key], second[key]) for key in first)


def test_an_expected_failure_needs_a_reason_and_a_known_name():
    with pytest.raises(UnknownName, match="did you mean `check_folds_exactly`"):
        method_checks("healthy", host=HOST, expected_failures={"check_fold_exactly": "why"})
    with pytest.raises(ConfigError, match="needs a reason"):
        method_checks("healthy", host=HOST, expected_failures={"check_folds_exactly": " "})


def test_an_expected_failure_is_told_and_one_that_passes_is_a_failure():
    expected = {
        "check_folds_exactly": "the bias is forgotten",
        "check_copies_are_independent": "by mistake",
    }
    checks = [check for check in METHOD_CHECKS if check.name in expected]
    cases = method_cases("forgotten_bias", HOST)
    found = {o.check.name: o for o in outcomes(checks, cases, expected)}
    assert found["check_folds_exactly"].verdict == "expected"
    assert found["check_copies_are_independent"].verdict == "broken"
    assert "passes, but was expected to fail" in found["check_copies_are_independent"].reason


HEAVY = """
import torch
from typing import Literal
from onlay import hookimpl
from onlay.settings import Config
from onlay.descriptors import Method

class HeavyConfig(Config):
    name: Literal["heavy"] = "heavy"

@hookimpl
def register_methods():
    yield Method(name="heavy", config=HeavyConfig, attach="nowhere:attach", summary="a test's own")
"""


def test_an_installed_plugin_that_imports_torch_to_register_is_named(tmp_path, monkeypatch):
    """The other process imports an empty file of that name, which takes no seconds."""
    (tmp_path / "heavy_plugin.py").write_text(HEAVY)
    (stub := tmp_path / "stub").mkdir()
    (stub / "torch.py").touch()
    info = tmp_path / "onlay_heavy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: onlay-heavy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[onlay]\nheavy = heavy_plugin\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = os.pathsep.join(
        [str(stub), str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setattr(registered, "_all_import_no_torch", lambda: False)  # remembered before
    check = METHOD_CHECKS[0]
    assert check.name == "check_registering_imports_no_torch"
    (found,) = outcomes([check], method_cases("heavy", PluginHost.discover()), {})
    sys.modules.pop("heavy_plugin", None)
    assert found.verdict == "broken"
    assert "listing imports torch" in found.reason


def test_two_processes_end_where_torch_has_threads(monkeypatch):
    """A forked process has none of its parent's threads, and must not wait for them."""
    monkeypatch.setattr(ranks, "PATIENCE", timedelta(seconds=5))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        torch.randn(400, 400) @ torch.randn(400, 400)
        assert only("healthy", "check_two_processes_agree") == {}
    finally:
        torch.set_num_threads(before)


def test_a_method_that_no_small_backbone_carries_is_told_in_a_sentence():
    with pytest.raises(OnlayError, match="needs `frequency`"):
        method_cases("needy", HOST)


def test_every_contract_is_one_sentence():
    for check in METHOD_CHECKS:
        assert check.contract.endswith("."), check.name
        assert ". " not in check.contract, check.name


def test_marks_turn_into_passing_failing_and_strict_tests(pytester):
    """As a third party has it: one decorator, in a pytest of its own."""
    pytester.makepyfile(
        f"""
        from pathlib import Path
        from onlay import PluginHost
        from onlay.testing import method_checks

        HOST = PluginHost.discover(files=[Path({str(PLANTED)!r})])

        @method_checks("forgotten_bias", host=HOST, expected_failures={{
            "check_folds_exactly": "the bias is forgotten",
            "check_copies_are_independent": "by mistake",
        }})
        def test_contract(check):
            check()

        @method_checks("mixing", host=HOST)
        def test_other(check):
            check()
        """
    )
    result = pytester.runpytest("-q", "-k", "folds_exactly or copies or of_a_batch")
    result.assert_outcomes(passed=2, failed=2, xfailed=1)
    result.stdout.fnmatch_lines(
        [
            "*XPASS(strict)*",
            "*an input alone and in a batch differ*",
            "*with `mixing` (defaults) on*",
        ]
    )
