"""What a command refused."""

from __future__ import annotations

from collections.abc import Callable

from click.testing import Result

Command = Callable[..., Result]


def refusal(result: Result) -> str:
    """The one sentence of a user's mistake."""
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.strip().splitlines()
    return line.removeprefix("Error: ")
