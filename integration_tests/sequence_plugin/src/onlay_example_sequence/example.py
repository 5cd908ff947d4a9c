"""Small histories, for `onlay plugins check` and for trying things."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write(folder: Path) -> Mapping[str, Any]:
    """Twelve users; gives the settings that read them."""
    path = folder / "users.jsonl"
    lines = [json.dumps(items) for items in walks(12, items=20, length=7)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"path": path}


def write_targets(folder: Path) -> Mapping[str, Any]:
    """Twelve users who chose one or two of three things."""
    path = folder / "users.csv"
    chosen = (["red"], ["green", "blue"], ["blue"])
    users = walks(12, items=20, length=7)
    lines = [",".join([*items, "", *chosen[n % 3]]) for n, items in enumerate(users)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"path": path}


def walks(users: int, *, items: int, length: int) -> list[list[str]]:
    """Users who go round all items with a step of their own, 1 or 3, from anywhere; the step
    shows in the first two items."""
    chance = random.Random(0)
    starts = [(chance.randrange(items), (1, 3)[user % 2]) for user in range(users)]
    return [[f"item_{(start + n * step) % items}" for n in range(length)] for start, step in starts]
