"""LoRA keeps every promise that Onlay asks of a method."""

from collections.abc import Callable

from onlay.testing import method_checks


@method_checks("my_lora")
def test_contract(check: Callable[[], None]) -> None:
    check()
