"""A plugin's code runs inside a guard: whatever it raises is its own failure, and what a signal
asks for goes on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType

from onlay.errors import OnlayError
from onlay.machine.system import STOPS

LONGEST = 1000
"""Letters of a failure's text that are shown."""


class guarded:
    """Hands whatever is raised inside to `fail`, a `KeyboardInterrupt` or `SystemExit` too.

    What the handler of a signal raises meanwhile is the user's wish (Ctrl-C) and nobody's failure:
    it is raised again, even where the plugin caught it. Only the main thread ever runs handlers.
    """

    def __init__(self, fail: Callable[[BaseException], None]) -> None:
        self._fail = fail
        self._wish: BaseException | None = None
        self._former: dict[int, Callable[[int, FrameType | None], object]] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in STOPS:
                former = signal.getsignal(number)
                if callable(former):  # neither ignored nor the system's own
                    self._former[number] = former
                    signal.signal(number, self._hear)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        for number, former in self._former.items():
            if signal.getsignal(number) == self._hear:  # else the plugin has put its own
                signal.signal(number, former)
        if self._wish is not None:
            raise self._wish
        if error is not None:
            self._fail(error)
        return True

    def _hear(self, number: int, frame: FrameType | None) -> None:
        try:
            self._former[number](number, frame)
        except BaseException as error:
            self._wish = error
            raise


def shown(text: str) -> str:
    r"""Somebody else's text on one line, with what a terminal would obey written out.

    >>> shown("red \x1b[31m\nagain")
    'red \\x1b[31m again'
    """
    return escaped(" ".join(text.split()))


def escaped(text: str) -> str:
    r"""What a terminal would obey written out, line breaks among it, and blanks as they are.

    >>> escaped("red \x1b[31m\n  again")
    'red \\x1b[31m\\n  again'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def in_words(error: BaseException) -> str:
    """`NameError: name 'x' is not defined (my_method.py, line 12)`; a sentence of ours as it is."""
    text = shown(_text(error)[:LONGEST])
    if not isinstance(error, OnlayError):
        text = shown(f"{type(error).__name__}: {text}").rstrip(": ")
    if isinstance(error, (OnlayError, SyntaxError)):
        return text
    return text + _place(error)


def traceback_of(error: BaseException) -> str:
    """The traceback as text; its last line alone where an exception's own methods fail."""
    import traceback

    try:
        lines = "".join(traceback.format_exception(error)).splitlines()
    except Exception:
        return in_words(error)
    return "\n".join(line[: len(line) - len(line.lstrip())] + shown(line) for line in lines)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except (Exception, SystemExit, KeyboardInterrupt) as failure:
        return f"an error whose text fails with {type(failure).__name__}"


def _place(error: BaseException) -> str:
    """The last line of the plugin's own, if it is known."""
    import traceback

    try:
        frames = traceback.extract_tb(error.__traceback__)
    except Exception:
        return ""
    core = Path(__file__).parents[1]
    ours = core, core / "host", core / "machine"
    foreign = (f for f in frames if "importlib" not in f.filename and f.filename[:1] != "<")
    own = [f for f in foreign if Path(f.filename).parent not in ours]
    return f" ({shown(Path(own[-1].filename).name)}, line {own[-1].lineno})" if own else ""
