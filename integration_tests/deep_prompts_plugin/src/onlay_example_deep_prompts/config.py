"""Settings of deep prompts; imports no torch."""

from typing import Literal

from pydantic import PositiveInt

from onlay.settings import Config


class DeepPromptsConfig(Config):
    """Learned tokens that every block gets anew."""

    name: Literal["deep_prompts"] = "deep_prompts"
    """This method."""

    prompts: PositiveInt = 10
    """Tokens that every block gets."""
