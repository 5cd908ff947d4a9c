"""What core itself registers keeps its contracts."""

from __future__ import annotations

from collections.abc import Callable

from onlay.testing import task_checks


@task_checks("classification")
def test_classification(check: Callable[[], None]) -> None:
    check()
