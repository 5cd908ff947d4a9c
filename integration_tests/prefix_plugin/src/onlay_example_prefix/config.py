"""Settings of prefix tuning; imports no torch."""

from typing import Literal

from pydantic import PositiveInt

from onlay.settings import Config


class PrefixConfig(Config):
    """Learned keys and values for the attention of every block."""

    name: Literal["my_prefix"] = "my_prefix"
    """This method."""

    rows: PositiveInt = 10
    """Keys, and as many values, that every block gets."""
