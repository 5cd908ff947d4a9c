"""Items of a listing."""

from __future__ import annotations

from pathlib import Path

from onlay.reading.listing import Item

# --- duplicates -----------------------------------------------------------------------------------


def item(root: Path, name: str, label: str, content: str) -> Item:
    (root / name).write_text(content)
    return Item(root / name, label, name)
