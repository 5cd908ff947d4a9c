"""Each planted defect of an executor is named by its check, and a healthy one by none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from onlay import PluginHost, hookimpl
from onlay.cli import main
from onlay.descriptors import Executor
from onlay.errors import PluginError
from onlay.machine.system import CAN_FORK
from onlay.testing import executor_checks, run_checks
from onlay.testing.executors import EXECUTOR_CHECKS

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="the planted ones fork, on Linux only")

PLANTED = Path(__file__).parent / "planted" / "planted_executors.py"
HOST = PluginHost.discover(files=[PLANTED])
KINDS = sys.modules["planted_executors"].KINDS


@pytest.mark.parametrize("name", KINDS)
def test_a_planted_defect_is_caught_by_its_check(name: str) -> None:
    found = [o.check.name for o in run_checks("executor", name, host=HOST) if not o.good]
    assert found[:1] == ([f"check_{KINDS[name][1]}"] if KINDS[name][1] else [])


def test_every_check_has_a_planted_defect() -> None:
    names = {check.name.removeprefix("check_") for check in EXECUTOR_CHECKS}
    elsewhere = {"registering_imports_no_torch", "settings_round_trip"}  # tried with methods
    assert names - elsewhere == {check for _, check in KINDS.values() if check}


def test_the_same_as_tests() -> None:
    @executor_checks("healthy", host=HOST)
    def contract(check: Callable[[], None]) -> None:
        check()

    (mark,) = contract.pytestmark  # type: ignore[attr-defined]
    for case in mark.args[1]:
        contract(*case.values)


def test_the_command_checks_executors() -> None:
    words = ["plugins", "check", "silent", "-k", "failures"]
    found = CliRunner().invoke(main, ["--plugin", str(PLANTED), *words])
    assert found.exit_code == 1
    assert "broken    hands on failures" in found.output
    assert "a call that fails gives None with `silent` (defaults)" in found.output


def test_what_needs_a_library_that_is_not_installed_is_not_asked() -> None:
    found = {o.check.name: o for o in run_checks("executor", "lacking", host=HOST)}
    assert {o.verdict for o in found.values()} == {"kept", "not asked"}
    told = found["check_stops_when_asked"].reason
    assert told == "`lacking` needs the package `no_such_library`"


def test_settings_that_are_no_config_are_refused_in_words() -> None:
    @hookimpl
    def register_executors():
        named = "collections:OrderedDict"
        yield Executor(name="plain", config=named, build="os:getcwd", summary="no settings")

    host = PluginHost()
    host.add(SimpleNamespace(register_executors=register_executors), name="odd")
    with pytest.raises(PluginError, match="of the executor `plain` must be a class on"):
        list(run_checks("executor", "plain", host=host))
