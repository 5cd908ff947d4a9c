"""Tables in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator


def table(head: tuple[str, ...], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    yield from (f"| {' | '.join(map(cell, row))} |" for row in rows)


def cell(text: str) -> str:
    """A bar ends a cell, unless it stands between backticks or is escaped."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") else p.replace("|", r"\|") for p in pieces)
