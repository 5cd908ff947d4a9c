"""Everything that Inlay asks of a method, one test for each promise."""

from collections.abc import Callable

from inlay.testing import method_checks


@method_checks("my_method")
def test_contract(check: Callable[[], None]) -> None:
    check()
