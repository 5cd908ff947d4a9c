"""A command line without a process of its own, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from click.testing import Result


def onlay(*words: object, **given: Any) -> Result:
    """`onlay WORDS...`; `given` goes to click's runner (`obj=host`, `env=...`)."""
    from click.testing import CliRunner

    from onlay.cli import main

    return CliRunner().invoke(main, [str(word) for word in words], prog_name="onlay", **given)
