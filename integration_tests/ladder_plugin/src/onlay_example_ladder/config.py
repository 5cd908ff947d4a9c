"""Settings of the ladder; imports no torch."""

from typing import Literal

from pydantic import PositiveInt

from onlay.settings import Config


class LadderConfig(Config):
    """A narrow transformer beside the backbone."""

    name: Literal["my_ladder"] = "my_ladder"
    """This method."""

    reduction: PositiveInt = 8
    """How many times narrower than the backbone it is; divides the width."""
