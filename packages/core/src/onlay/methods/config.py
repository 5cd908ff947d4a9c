"""Settings of the built-in methods."""

from __future__ import annotations

from typing import Literal

from onlay.settings import Config


class FullConfig(Config):
    """Full fine-tuning: every parameter of the backbone trains, in adapter-owned copies."""

    name: Literal["full"] = "full"
    """This method."""

    start: Literal["pretrained", "random"] = "pretrained"
    """Where training begins: at the backbone's weights, or `random`, at weights that the run's seed
    draws as the network's own layers do: training from scratch, a control."""


def full_traits(config: FullConfig, provides: frozenset[str]) -> frozenset[str]:
    """Random weights are not the bare backbone."""
    return frozenset({"foldable"} | ({"identity"} if config.start == "pretrained" else set()))


class LinearConfig(Config):
    """Linear probe: the backbone stays as it is and the head alone trains."""

    name: Literal["linear"] = "linear"
    """This method."""


class BitFitConfig(Config):
    """BitFit (arXiv 2106.10199): every bias of the backbone trains, nothing else in it."""

    name: Literal["bitfit"] = "bitfit"
    """This method."""
