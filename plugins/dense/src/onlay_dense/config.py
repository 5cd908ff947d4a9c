"""What all dense tasks are set by; imports no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import NonNegativeInt

from onlay.config.base import Config
from onlay.config.oneof import OneOf
from onlay_dense.decoders.config import LinearConfig


class DenseConfig(Config):
    """What tasks have that give an answer for every pixel."""

    name: str
    """The task."""
    decoder: Annotated[Config, OneOf("decoder")] = LinearConfig()
    """What makes one map of the backbone's: the name of a decoder, or a block of its settings."""
    levels: tuple[NonNegativeInt, ...] | None = None
    """Blocks, from 0, whose maps the decoder reads; default: as many as it wants, the last block of
    each stage, or of each part of the depth of a backbone without stages (2, 5, 8, 11 of 12)."""
