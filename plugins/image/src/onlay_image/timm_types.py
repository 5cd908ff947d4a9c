"""How timm's objects are annotated here."""

from __future__ import annotations

from typing import Any

TimmModule = Any
"""A module of timm: `nn.Module` would say of every attribute that it may be a tensor."""
