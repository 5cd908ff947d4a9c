"""What became of installed plugins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onlay.descriptors import Method
from onlay.methods.config import LinearConfig

Install = Callable[..., None]


def method(**given: Any) -> Method:
    usual = {"name": "linear", "config": LinearConfig, "attach": "a:b", "summary": "x"}
    return Method(**usual | given)
