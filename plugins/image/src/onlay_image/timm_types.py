"""How objects of timm and tifffile are annotated here."""

from __future__ import annotations

from typing import Any

TiffFile = Any
"""A file of tifffile."""

TiffPage = Any
"""A page of tifffile, whose attributes are made when they are asked for."""

TimmModule = Any
"""A module of timm: `nn.Module` would say of every attribute that it may be a tensor."""
