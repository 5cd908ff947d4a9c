"""What is said to a user, of a call or by a command that must fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from onlay.errors import OnlayError

if TYPE_CHECKING:
    from click.testing import Result


def fails(call: Callable[[], object], *parts: str) -> None:
    """The call ends in one sentence for users that has all these parts."""
    try:
        call()
    except OnlayError as error:
        text = str(error)
    else:
        raise AssertionError(f"nothing failed, and it should have been said: {parts}")
    assert "\n" not in text, text
    for part in parts:
        assert part in text, text


def refusal(result: Result) -> str:
    """The sentence in which a command refused a user's mistake, all that it said."""
    assert result.exit_code == 2, result.output
    assert not result.stdout, result.stdout
    (line,) = result.stderr.strip().splitlines()
    return line.removeprefix("Error: ")
