"""What may stand under `method:` in a run file; imports no torch."""

from typing import Literal

from onlay.settings import Config
from pydantic import PositiveInt


class MyMethodConfig(Config):
    """A scaled low-rank branch beside the weights that make q, k and v."""

    name: Literal["my_method"] = "my_method"
    """This method."""

    rank: PositiveInt = 4
    """Inner width of every branch."""
