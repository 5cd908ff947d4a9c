"""The contract of every decoder, as every author of one checks it."""

from __future__ import annotations

from collections.abc import Callable

from onlay.testing import decoder_checks, run_checks


def test_auto() -> None:
    """It is one of the others, which are asked for the rest."""
    outcomes = list(run_checks("decoder", "auto", words="setting or registering or grid or seed"))
    assert [o.check.name for o in outcomes if not o.good] == []
    assert len(outcomes) == 7


@decoder_checks("linear")
def test_linear(check: Callable[[], None]) -> None:
    check()


@decoder_checks("dpt")
def test_dpt(check: Callable[[], None]) -> None:
    check()


@decoder_checks("upernet")
def test_upernet(check: Callable[[], None]) -> None:
    check()


@decoder_checks("fpn")
def test_fpn(check: Callable[[], None]) -> None:
    check()


@decoder_checks("segformer")
def test_segformer(check: Callable[[], None]) -> None:
    check()
