"""A modality whose preprocessing must say two facts, and may say more."""

from __future__ import annotations

from pydantic import ConfigDict

import onlay
from onlay.descriptors import Modality
from onlay.settings import Config


class Facts(Config):
    model_config = ConfigDict(extra="allow")

    size: int
    mean: list[float]


class Tactile:
    @onlay.hookimpl
    def register_modalities(self):
        yield Modality(
            name="touch",
            reader="builtins:dict",
            suffixes=frozenset(),
            summary="",
            preprocessing=f"{__name__}:Facts",
        )
