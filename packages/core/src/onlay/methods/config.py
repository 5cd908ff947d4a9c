"""Settings of the built-in methods."""

from __future__ import annotations

from typing import Literal

from onlay.settings import Config


class FullConfig(Config):
    """Full fine-tuning: every parameter of the backbone trains, in adapter-owned copies."""

    name: Literal["full"] = "full"
    """This method."""


class LinearConfig(Config):
    """Linear probe: the backbone stays as it is and the head alone trains."""

    name: Literal["linear"] = "linear"
    """This method."""


class BitFitConfig(Config):
    """BitFit (arXiv 2106.10199): every bias of the backbone trains, nothing else in it."""

    name: Literal["bitfit"] = "bitfit"
    """This method."""
