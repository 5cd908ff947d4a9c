"""Tokens, prefixes, gates, and networks at the side."""

from __future__ import annotations

from onlay.descriptors import Method

TOKENS: tuple[Method, ...] = ()
