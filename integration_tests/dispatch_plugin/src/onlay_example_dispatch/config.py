"""Settings of token dispatch; imports no torch."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from onlay.settings import Config


class DispatchConfig(Config):
    """Only some tokens pass the frozen MLP of a block."""

    name: Literal["dispatch"] = "dispatch"
    """This method."""

    bottleneck: PositiveInt = 8
    """Inner width of the adapter beside each MLP."""

    rate: float = Field(default=0.5, ge=0, le=1)
    """The share of tokens that should pass, over all blocks together."""

    rate_weight: NonNegativeFloat = 2.0
    """Weight of (achieved - `rate`) squared in the loss."""
