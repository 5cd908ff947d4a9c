"""What may stand under `task:` in a run file; imports no torch."""

from typing import Literal

from onlay.settings import Config
from pydantic import Field


class MyTaskConfig(Config):
    """Any number of classes for each input: one linear layer, a sigmoid for each class."""

    name: Literal["my_task"] = "my_task"
    """This task."""

    pool: Literal["mean", "cls"] = "mean"
    """What the head reads: the mean of the patches, or the class token."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the pooled features while training."""

    threshold: float = Field(default=0.5, gt=0, lt=1)
    """Probability from which on the metrics count a class as found."""
