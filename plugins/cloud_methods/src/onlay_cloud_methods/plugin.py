"""What this distribution brings. Registering imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from onlay.descriptors import Method
from onlay.hooks import hookimpl


@hookimpl
def register_methods() -> Iterable[Method]:
    """All of them."""
    return ()
