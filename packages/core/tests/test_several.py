"""Several heads on one pass of the backbone."""

from __future__ import annotations

from collections.abc import Callable

from onlay.testing import task_checks


@task_checks("several")
def test_several_keeps_the_contract_of_tasks(check: Callable[[], None]) -> None:
    check()
