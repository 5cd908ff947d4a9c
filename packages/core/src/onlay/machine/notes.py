"""What users should know and no command's answer says: one plain sentence on stderr, once.

A sentence goes to the logger `onlay`, where who uses the packages from Python can catch it. A
warning of Python's would put a line of our source before it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

_LOGGER = logging.getLogger("onlay")


def note(sentence: str) -> None:
    """Say it, from any process."""
    _LOGGER.warning("%s", sentence)


def note_all(read: Callable[..., Any]) -> None:
    """Say what a modality's reader has to tell of all files that it read, if it has an attribute
    `notes`, some sentences."""
    for sentence in getattr(read, "notes", ()):
        note(sentence)


class _Plain(logging.Handler):
    """To stderr as it is, what was said before left out."""

    def __init__(self) -> None:
        super().__init__()
        self.said = set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        sentence = record.getMessage()
        if sentence not in self.said:
            self.said.add(sentence)
            click.echo(sentence, err=True)


@contextmanager
def plainly() -> Iterator[None]:
    """Inside, on the command line, sentences go to stderr and nowhere else, whatever libraries do
    to logging."""
    handler, former = _Plain(), _LOGGER.propagate
    _LOGGER.addHandler(handler)
    _LOGGER.propagate = False
    try:
        yield
    finally:
        _LOGGER.removeHandler(handler)
        _LOGGER.propagate = former
