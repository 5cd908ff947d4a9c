"""Small networks beside, behind or in front of frozen parts."""

from __future__ import annotations

from onlay.descriptors import Method

BOTTLENECKS: tuple[Method, ...] = ()
