"""Everything that Onlay asks of a task, one test for each promise."""

from collections.abc import Callable

from onlay.testing import task_checks


@task_checks("my_task")
def test_contract(check: Callable[[], None]) -> None:
    check()
