"""Everything that Onlay asks of a decoder, one test for each promise."""

from collections.abc import Callable

from onlay.testing import decoder_checks


@decoder_checks("my_decoder")
def test_contract(check: Callable[[], None]) -> None:
    check()
