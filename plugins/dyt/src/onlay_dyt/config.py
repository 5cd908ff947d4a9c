"""Settings of Dynamic Tuning; imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from onlay.settings import Config


class DytConfig(Config):
    """DyT: beside an adapter in each block, a router lets only some tokens pass the frozen MLP."""

    name: Literal["dyt"] = "dyt"
    """This method."""

    bottleneck: PositiveInt = 64
    """Width d of the adapters; 8 in the paper's tables of VTAB-1k."""

    scale: PositiveFloat = 0.1
    """What adapters are multiplied with: 0.1 on full data sets, 1 on VTAB-1k."""

    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Behind the adapters' ReLU, while training."""

    rate: float = Field(default=0.5, gt=0, le=1)
    """Share r of the tokens that shall pass, on average over all blocks: which ones, and how many
    in which block, is learnt. The target is soft."""

    rate_weight: NonNegativeFloat = 2.0
    """Weight in the loss of (achieved rate - r)²."""

    temperature: PositiveFloat = 5.0
    """Of the gates while training: it divides their gradient and leaves their odds alone."""

    experts: PositiveInt = 1
    """Adapters N of each block, of which every input gets its own mixture (the paper's
    MoE-adapter): a router reads the mean of its tokens, and the weights are mixed, not the
    outputs."""

    expert_gate: Literal["softmax", "sigmoid"] = "softmax"
    """Whether an input's shares of the experts sum to 1, or each is from 0 to 1 by itself. A
    reading: the paper does not say."""

    teacher: bool = True
    """While training, every batch also passes the complete network, all tokens through all MLPs
    with the same weights; its loss is added, and classes are also learnt from its answers (a
    Kullback-Leibler term). It takes about 1.8 times as long."""

    @model_validator(mode="after")
    def _of_several(self) -> DytConfig:
        if self.experts == 1 and self.expert_gate != "softmax":
            raise ValueError("`expert_gate` belongs to several experts, and `experts` is 1")
        return self
