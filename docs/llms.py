"""Writes `llms.txt` (https://llmstxt.org) into the site: its pages in the order of the menu.

mkdocs calls `on_page_context` when every page is rendered, once for each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

PARAGRAPH = re.compile(r"<p>(.*?)</p>", re.DOTALL)
SENTENCE_END = re.compile(r"(?<=\.)\s(?!\d)")


def on_page_context(context: Any, page: Any, config: Any, nav: Any) -> Any:
    if page.is_homepage:
        file = Path(config["site_dir"], "llms.txt")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(overview(config, nav, page), encoding="utf-8")
    return context


def overview(config: Any, nav: Any, home: Any) -> str:
    """Title, description, what the first page begins with, and a list for each section."""
    title, start = config["site_name"], "\n\n".join(paragraphs(home)[:2])
    lists = (f"## {s.title}\n\n" + "\n".join(entries(s)) for s in nav.items if s.is_section)
    return "\n\n".join([f"# {title}", f"> {config['site_description']}", start, *lists]) + "\n"


def entries(section: Any) -> Iterator[str]:
    for page in section.children:
        first = SENTENCE_END.split((paragraphs(page) or [""])[0])[0].rstrip(".:")
        yield f"- [{page.title}]({page.url})" + (f": {first}" if first else "")


def paragraphs(page: Any) -> list[str]:
    """A rendered page's paragraphs as plain text."""
    found = (re.sub(r"<[^>]+>", "", p) for p in PARAGRAPH.findall(page.content))
    return [" ".join(unescape(text).split()) for text in found]
