"""A plugin file for the tests: optimizers that are none."""

from __future__ import annotations

from typing import Any

import onlay
from onlay.descriptors import Optimizer


def text(*given: Any) -> str:
    return "no optimizer"


def failing(*given: Any) -> None:
    raise ValueError("no luck")


@onlay.hookimpl
def register_optimizers() -> Any:
    for name in ("text", "failing"):
        yield Optimizer(name=name, build=f"{__name__}:{name}", summary="no optimizer")
