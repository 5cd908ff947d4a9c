"""Settings of methods with tokens, prefixes, gates, or a network at the side."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from onlay.settings import Config

REPARAMETERISED = (
    "a network that makes the rows is dropped after training: what trains would not be what is"
    " saved; take `flat`"
)


class VptConfig(Config):
    """Visual prompt tuning: learnt tokens behind the class token."""

    name: Literal["vpt"] = "vpt"
    """This method."""
    kind: Literal["shallow", "deep"] = "deep"
    """`shallow`: tokens in front of the first block, which stay; `deep`: new ones in front of every
    block, whose outputs are dropped."""
    prompts: PositiveInt = 10
    """Tokens P at each place; the authors choose it for each task from 1, 5, 10, 50, 100 and, for
    `shallow`, 200."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """On the prompts, while training."""


class PrefixConfig(Config):
    """Prefix tuning: learnt keys and values in every attention, which ask nothing."""

    name: Literal["prefix"] = "prefix"
    """This method."""
    rows: PositiveInt = 10
    """Keys and values P of each block."""
    stored: Literal["flat"] = "flat"
    """The rows themselves train. The paper's `mlp`, which makes them while training and is thrown
    away, is refused: at 20 rows it trains 9,864,704 numbers for 368,640 that are kept."""

    @field_validator("stored", mode="before")
    @classmethod
    def _flat(cls, stored: str) -> str:
        if stored == "mlp":
            raise ValueError(REPARAMETERISED)
        return stored


class UnipeltConfig(Config):
    """UniPELT: adapter, prefix and low-rank updates together, each behind a gate that reads the
    input."""

    name: Literal["unipelt"] = "unipelt"
    """This method."""
    parts: Literal["apl", "al", "ap"] = "al"
    """Which of adapter, prefix and low-rank updates (LoRA). With a prefix the start is not the bare
    network: also a closed gate leaves its keys a share of the softmax."""
    bottleneck: PositiveInt = 48
    """Width of the adapter."""
    rank: PositiveInt = 8
    """Rank of the updates of q and v; their gates stand where LoRA has alpha / rank."""
    rows: PositiveInt = 10
    """Keys and values of the prefix, stored as they are."""
    prefix_gate_bias: float = 0.0
    """Where the prefix's gate begins, before its sigmoid: 0 is half open, -4 nearly closed."""

    @model_validator(mode="after")
    def _of_its_parts(self) -> UnipeltConfig:
        for part, name in (("l", "rank"), ("p", "rows"), ("p", "prefix_gate_bias")):
            usual = type(self).model_fields[name].default
            if part not in self.parts and getattr(self, name) != usual:
                raise ValueError(
                    f"`{name}` belongs to the part `{part}`, and `parts` is `{self.parts}`"
                )
        return self


class LadderConfig(Config):
    """Ladder side tuning: a narrow network beside the backbone, whose blocks no gradient enters."""

    name: Literal["ladder"] = "ladder"
    """This method."""
    reduction: PositiveInt = 8
    """How many times narrower it is; it has as many heads as the backbone."""
    temperature: PositiveFloat = 0.1
    """T of the gates sigmoid(alpha / T) between what comes from below and what from the side."""
