"""Settings of the decoders; imports no torch."""

from __future__ import annotations

from typing import Literal

from onlay.config.base import Config


class LinearConfig(Config):
    """The last map as it is: the task's 1 x 1 convolution on it is the linear probe of the
    field."""

    name: Literal["linear"] = "linear"
    """This decoder."""
