"""Adapter-X without one of its parts: the method's fields by the name of what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "no-sharing": {"sharing": "none"},
    "one-expert": {"experts": 1},
    "no-prompts": {"prompts": False},
    "no-block-norm": {"block_norm": False},
}
