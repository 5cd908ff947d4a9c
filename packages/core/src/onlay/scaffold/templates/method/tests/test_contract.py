"""Everything that Onlay asks of a method, one test for each promise."""

from collections.abc import Callable

from onlay.testing import method_checks


@method_checks("my_method")
def test_contract(check: Callable[[], None]) -> None:
    check()
