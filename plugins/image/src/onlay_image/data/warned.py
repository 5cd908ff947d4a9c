"""What decoders warn of, in our words."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from onlay.machine.notes import note

_first: list[object] = []
"""The first file of which a decoder warned; there may be many of one camera."""


@contextmanager
def noted(path: object) -> Iterator[None]:
    """Instead of a decoder's warnings a sentence, for the first file in this process."""
    with warnings.catch_warnings(record=True) as told:
        warnings.filterwarnings("always", category=UserWarning)
        yield
    if not _first and any(issubclass(each.category, UserWarning) for each in told):
        _first.append(path)
        note(
            f"`{path}` is read, but something in it is damaged or against the rules of its format,"
            " such as what says how it is turned; so may be others, which are not named"
        )
