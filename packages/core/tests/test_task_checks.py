"""Each planted defect of a task or of a data set is named by its check, and the healthy ones by
none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from onlay import PluginHost
from onlay.errors import OnlayError
from onlay.testing import dataset_checks, task_checks
from onlay.testing.checking import outcomes
from onlay.testing.datasets import DATASET_CHECKS
from onlay.testing.datasets.case import dataset_cases
from onlay.testing.suites import SUITES
from onlay.testing.tasks import TASK_CHECKS
from onlay.testing.tasks.case import task_cases

DATA = Path(__file__).parent / "planted"
FILES = ("planted_tasks", "planted_targets", "planted_datasets")
HOST = PluginHost.discover(files=[DATA / f"{name}.py" for name in FILES])
DEFECTS = {
    (kind, name): defect
    for kind, module in zip(("task", "task", "dataset"), FILES, strict=True)
    for name, defect in sys.modules[module].DEFECTS.items()
}


@pytest.mark.parametrize(("kind", "name"), [key for key in DEFECTS if DEFECTS[key].check])
def test_a_planted_defect_is_caught_by_the_check_that_names_it(kind: str, name: str) -> None:
    defect, suite = DEFECTS[kind, name], SUITES[kind]
    checks = [check for check in suite.checks if check.name == f"check_{defect.check}"]
    if defect.check.startswith(("metrics", "main_metric", "measures", "constant")):
        pytest.importorskip("torchmetrics")
    (outcome,) = outcomes(checks, suite.cases(name, HOST), {})
    assert not outcome.good
    assert defect.clue in outcome.reason


@task_checks("healthy", host=HOST)
def test_no_alarm_on_a_healthy_task(check: Callable[[], None]) -> None:
    check()


RIGHT = [
    name for name, defect in sys.modules["planted_targets"].DEFECTS.items() if not defect.check
]


@pytest.mark.parametrize("name", RIGHT)
def test_no_alarm_on_losses_of_other_kinds(name: str) -> None:
    """Weights, shares, pairs of inputs, Dice over the batch."""
    found = outcomes(TASK_CHECKS, task_cases(name, HOST), {})
    assert not [outcome.reason for outcome in found if not outcome.good]


@pytest.mark.parametrize(
    "name", [n for n in sys.modules["planted_targets"].DEFECTS if n not in RIGHT]
)
def test_a_defect_of_targets_is_first_caught_by_its_check(name: str) -> None:
    found = outcomes(TASK_CHECKS, task_cases(name, HOST), {})
    first = next(outcome.check.name for outcome in found if not outcome.good)
    assert first == f"check_{DEFECTS['task', name].check}"


def test_a_metric_may_be_the_better_the_lower() -> None:
    """A head whose main metric is an error, and that says so, keeps all that is asked of it."""
    pytest.importorskip("torchmetrics")
    found = outcomes(TASK_CHECKS, task_cases("error_to_be_low", HOST), {})
    assert not [outcome.reason for outcome in found if not outcome.good]


@dataset_checks("healthy", host=HOST)
def test_no_alarm_on_a_healthy_data_set(check: Callable[[], None]) -> None:
    check()


def test_no_alarm_on_a_stream_that_seeks() -> None:
    found = list(outcomes(DATASET_CHECKS, dataset_cases("flowing", HOST), {}))
    assert not [outcome.reason for outcome in found if not outcome.good]
    names = [outcome.check.name for outcome in found if outcome.verdict == "kept"]
    assert "check_streams_go_on_from_any_place" in names


def test_a_data_set_without_example_is_told_in_a_sentence() -> None:
    with pytest.raises(OnlayError, match=r"declares no `example`.* need `path`"):
        dataset_cases("without_example", HOST)


@pytest.mark.parametrize("check", [*TASK_CHECKS, *DATASET_CHECKS], ids=lambda check: check.name)
def test_every_contract_is_one_sentence(check) -> None:
    assert check.contract.endswith(".")
    assert ". " not in check.contract
