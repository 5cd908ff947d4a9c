"""The task `depth` keeps the contract of tasks."""

from __future__ import annotations

from collections.abc import Callable

from onlay.testing import task_checks


@task_checks("depth")
def test_depth_keeps_the_contract(check: Callable[[], None]) -> None:
    check()
