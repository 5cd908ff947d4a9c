"""Everything that Onlay asks of a backbone, one test for each promise."""

from collections.abc import Callable

from onlay.testing import backbone_checks


@backbone_checks("my_backbone")
def test_contract(check: Callable[[], None]) -> None:
    check()
