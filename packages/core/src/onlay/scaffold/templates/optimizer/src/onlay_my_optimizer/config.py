"""What may stand under `train.opt_kwargs` in a run file; imports no torch.

Rate and weight decay are `train.lr` and `train.weight_decay`, as of every optimizer.
"""

from onlay.settings import Config
from pydantic import Field


class MyOptimizerConfig(Config):
    """Steps of one size, in the direction of a running mean's sign."""

    momentum: float = Field(default=0.9, ge=0, lt=1)
    """How much of its running mean of gradients a step keeps."""
