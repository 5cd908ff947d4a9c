"""LoRA keeps every promise that Inlay asks of a method."""

from collections.abc import Callable

from inlay.testing import method_checks


@method_checks("lora")
def test_contract(check: Callable[[], None]) -> None:
    check()
