"""What may stand in the decoder's block of a run file; imports no torch."""

from typing import Literal

from onlay.settings import Config
from pydantic import PositiveInt


class MyDecoderConfig(Config):
    """Each map projected, brought to the size of the first, and added."""

    name: Literal["my_decoder"] = "my_decoder"
    """This decoder."""
    width: PositiveInt = 64
    """Channels of the map that is made."""
