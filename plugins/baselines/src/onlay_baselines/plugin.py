"""What this distribution brings. Registering imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from onlay.descriptors import Method
from onlay.hooks import hookimpl
from onlay_baselines.registering.bottlenecks import BOTTLENECKS
from onlay_baselines.registering.tokens import TOKENS
from onlay_baselines.registering.weights import WEIGHTS


@hookimpl
def register_methods() -> Iterable[Method]:
    """All of them."""
    yield from (*BOTTLENECKS, *TOKENS, *WEIGHTS)
