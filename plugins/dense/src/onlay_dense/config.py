"""What all dense tasks are set by; imports no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import NonNegativeInt

from onlay.config.oneof import OneOf
from onlay.settings import Config
from onlay_dense.decoders.config import AutoConfig


class DenseConfig(Config):
    """What tasks have that give an answer for every pixel."""

    name: str
    """The task."""
    decoder: Annotated[Config, OneOf("decoder", default="auto")] = AutoConfig()
    """What makes one map of the backbone's: the name of a decoder, or a block of its settings; by
    default `dpt` on a plain transformer and `upernet` on a hierarchical backbone."""
    levels: tuple[NonNegativeInt, ...] | None = None
    """Blocks, from 0, whose maps the decoder reads; default: as many as it wants, the last block of
    each stage, or of each part of the depth of a backbone without stages (2, 5, 8, 11 of 12)."""
