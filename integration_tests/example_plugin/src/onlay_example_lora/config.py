"""Settings of LoRA; imports no torch."""

from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from onlay.settings import Config


class LoraConfig(Config):
    """Low-rank updates of the weights that make q, k and v."""

    name: Literal["my_lora"] = "my_lora"
    """This method."""

    rank: PositiveInt = 8
    """Rank r of every update."""

    alpha: PositiveFloat = 16.0
    """Every update is multiplied by alpha / rank."""
