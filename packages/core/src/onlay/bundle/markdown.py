"""Names of other people as text in Markdown: no HTML, heading, link or table of theirs."""

from __future__ import annotations

import re

from onlay.machine.guard import shown


def code(name: object) -> str:
    """A code span that shows the name as it is; what cannot be printed is escaped.

    >>> code("cat")
    '`cat`'
    >>> code("a`b")
    '``a`b``'
    """
    text = shown(str(name))
    runs = re.findall("`+", text)
    fence = "`" * (1 + max(map(len, runs), default=0))
    space = " " if not text.strip() or "`" in (text[0], text[-1]) else ""
    return f"{fence}{space}{text or ' '}{space}{fence}"


def cell(name: object) -> str:
    """The same in a table, where a bar would end the cell."""
    return code(name).replace("|", r"\|")
