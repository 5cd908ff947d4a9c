"""The plugin whose method chooses."""

from __future__ import annotations

from pathlib import Path

FILE = Path(__file__).parents[1] / "data" / "choosy.py"
