"""Changes of weights, most of which merge."""

from __future__ import annotations

from onlay.descriptors import Method

WEIGHTS: tuple[Method, ...] = ()
