"""What this plugin registers keeps its contracts."""

from __future__ import annotations

from collections.abc import Callable

from onlay.testing import task_checks

Check = Callable[[], None]


@task_checks("segmentation")
def test_segmentation(check: Check) -> None:
    check()
