"""Settings that are wrong, each in one way."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from onlay.settings import Config


class Drifting(Config):
    """Its `rank` grows whenever it is read."""

    name: Literal["drifting"] = "drifting"
    rank: int = 1
    """Inner width."""

    @field_validator("rank")
    @classmethod
    def _more(cls, rank: int) -> int:
        return rank + 1


class Undescribed(Config):
    """A field without a docstring."""

    name: Literal["undescribed"] = "undescribed"
    rank: int = 2


class Forgotten(Config):
    """A setting that nothing reads."""

    name: Literal["forgotten"] = "forgotten"
    scale: float = 1.0
    """What nothing is multiplied with."""


class OwnLastBlocks(Config):
    """A field of a name that core gives every method."""

    name: Literal["own_last_blocks"] = "own_last_blocks"
    last_blocks: int = 2
    """What the method itself means by it."""
