"""How an input is prepared, as data sets tell it and bundles keep it; imports no torch."""

from onlay.settings import Config
from pydantic import ConfigDict, PositiveFloat, PositiveInt


class MyModalityFacts(Config):
    """From the numbers of a file to those that a backbone takes."""

    model_config = ConfigDict(extra="allow")  # data sets may add facts of their own

    length: PositiveInt
    """Numbers of an input: longer files lose their end, shorter ones are filled with zeros."""

    mean: float = 0.0
    """Of the numbers of the training part."""

    std: PositiveFloat = 1.0
    """Likewise, the deviation."""
