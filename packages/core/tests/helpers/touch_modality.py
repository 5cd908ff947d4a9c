"""A modality whose preprocessing must say two facts."""

from __future__ import annotations

import onlay
from onlay.descriptors import Modality
from onlay.settings import Config


class Facts(Config):
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
