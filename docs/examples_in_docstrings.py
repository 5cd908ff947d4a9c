"""Shows the doctests of docstrings as code; without it Markdown takes `>>>` for quotations."""

from __future__ import annotations

import re
from typing import Any

import griffe

DOCTEST = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)
PROMPT = re.compile(r"^(?:>>>|\.\.\.) ?", re.MULTILINE)


class FencedExamples(griffe.Extension):
    """Puts every block that begins with `>>>` between fences."""

    def on_object(self, *, obj: griffe.Object, **facts: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = DOCTEST.sub(fenced, obj.docstring.value)


def fenced(found: re.Match[str]) -> str:
    """A session with output keeps its prompts; code alone loses them, so that it can be copied."""
    text = re.sub(r"  # doctest: \+\w+$", "", found[0], flags=re.MULTILINE)
    alone = all(PROMPT.match(line) for line in text.splitlines())
    return f"```python\n{PROMPT.sub('', text)}\n```" if alone else f"```pycon\n{text}\n```"
