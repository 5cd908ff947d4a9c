"""Everything that Onlay asks of a data set, one test for each promise."""

from collections.abc import Callable

from onlay.testing import dataset_checks


@dataset_checks("my_dataset")
def test_contract(check: Callable[[], None]) -> None:
    check()
