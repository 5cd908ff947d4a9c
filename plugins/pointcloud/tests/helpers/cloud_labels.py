"""Labels of a folder of clouds."""

from __future__ import annotations

LABELS = ("chair", "lamp")
