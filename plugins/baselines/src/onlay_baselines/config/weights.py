"""Settings of methods that change weights; most of them merge."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from onlay.settings import Config
from onlay_baselines.config.choices import refuse_twice

Map = Literal["q", "k", "v", "qkv", "proj", "fc1", "fc2"]
"""A frozen linear map of a block: of the attention's input, its output projection, and the MLP's
two."""


class NormTuningConfig(Config):
    """Norm tuning: weight and bias of every norm train, nothing else in the backbone."""

    name: Literal["norm_tuning"] = "norm_tuning"
    """This method."""


class LoraConfig(Config):
    """LoRA: low-rank updates of frozen weights."""

    name: Literal["lora"] = "lora"
    """This method."""
    targets: tuple[Map, ...] = ("q", "v")
    """Maps of every block that are updated. `q`, `k` and `v` have a pair of matrices each, whether
    the backbone computes them in one layer or in three; `qkv` is one pair for all three, as peft
    has it on a fused layer. LoRA's own choice is q and v."""
    rank: PositiveInt = 8
    """Rank r of every update."""
    alpha: PositiveFloat = 8.0
    """Every update is multiplied by alpha / rank."""
    rank_stabilized: bool = False
    """Multiply by alpha / sqrt(rank) instead (rsLoRA, Kalajdzievski 2023)."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """On what the updates read, while training."""

    @model_validator(mode="after")
    def _once(self) -> LoraConfig:
        refuse_twice("targets", self.targets, "q")
        return self


class SsfConfig(Config):
    """SSF: a learnt scale and shift behind every linear map and norm."""

    name: Literal["ssf"] = "ssf"
    """This method."""
    init_std: NonNegativeFloat = 0.02
    """Deviation of the start: scales around 1, shifts around 0. At 0 the start is the bare
    network."""


class Ia3Config(Config):
    """IA3: learnt scales of keys, values, and what the second layer of the MLP reads."""

    name: Literal["ia3"] = "ia3"
    """This method."""
    sites: tuple[Literal["k", "v", "mlp"], ...] = ("k", "v", "mlp")
    """What is scaled in every block. A scale of q would add nothing to one of k."""

    @model_validator(mode="after")
    def _once(self) -> Ia3Config:
        refuse_twice("sites", self.sites, "v")
        return self


class FactConfig(Config):
    """FacT: the updates of all weights of a backbone as one tensor in factors."""

    name: Literal["fact"] = "fact"
    """This method."""
    kind: Literal["tt", "tk"] = "tt"
    """`tt`: tensor train, a core for each weight between two shared factors; `tk`: Tucker, these
    cores from one, mixed by a third factor."""
    rank: PositiveInt = 16
    """Rank r of all factors; the authors take up to 16 for `tt` and up to 32 for `tk`."""
    scale: PositiveFloat = 1.0
    """What updates are multiplied with; the authors choose it for each task from 0.01, 0.1, 1, 10,
    100."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """In front of the last factor, while training."""


class MetattConfig(Config):
    """MetaTT: one tensor train over inputs, layers, kinds of weights and outputs."""

    name: Literal["metatt"] = "metatt"
    """This method."""
    targets: tuple[Literal["q", "k", "v", "proj", "fc1", "fc2"], ...] = ("q", "v")
    """Maps of every block that are updated; `fc1` and `fc2` in as many pieces as they are wider
    than the network, a reading."""
    rank: PositiveInt = 8
    """Rank r of all cores."""
    alpha: PositiveFloat = 1.0
    """What updates are multiplied with; a reading, the value is to be tuned between 0.5 and 4."""

    @model_validator(mode="after")
    def _once(self) -> MetattConfig:
        refuse_twice("targets", self.targets, "q")
        return self


class SpectrumConfig(Config):
    """Spectrum Modulation Adapter (SMoA of 2026; no relation to Adapter-X's): low-rank factors that
    multiply blocks of the re-ordered weight."""

    name: Literal["spectrum"] = "spectrum"
    """This method."""
    targets: tuple[Literal["q", "k", "v", "proj", "fc1", "fc2"], ...] = (
        *("q", "k", "v"),
        *("proj", "fc1", "fc2"),
    )
    """Maps of every block that are updated. q, k and v are three weights, also where they are one
    layer, a reading."""
    rank: PositiveInt = 32
    """Sum of the ranks of a weight's blocks."""
    parts: PositiveInt = 2
    """Blocks K along the diagonal of the re-ordered weight; 1 without an order is HiRA."""
    alpha: PositiveFloat = 32.0
    """Every update is multiplied by alpha / rank."""
    dropout: float = Field(default=0.05, ge=0, lt=1)
    """On what the updates read, while training."""

    @model_validator(mode="after")
    def _shared_out(self) -> SpectrumConfig:
        refuse_twice("targets", self.targets, "q")
        if self.rank < self.parts:
            raise ValueError(f"`rank` {self.rank} is less than the {self.parts} `parts`")
        return self


class DynamicRankConfig(Config):
    """Dynamic ranks (Mao et al.'s DoRA, not weight-decomposed LoRA): sums of rank-1 parts, of which
    the least important are closed while training."""

    name: Literal["dynamic_rank"] = "dynamic_rank"
    """This method."""
    targets: tuple[Map, ...] = ("qkv", "proj", "fc1", "fc2")
    """Maps of every block that are updated."""
    rank: PositiveInt = 8
    """Parts b that a map has at the end, on average; it starts with half as many more."""
    alpha: PositiveFloat = 8.0
    """Every update is multiplied by alpha / its first number of parts."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """On what the updates read, while training."""
    start: Annotated[float, Field(ge=0, le=1)] = 0.15
    """Share of all steps before which nothing is closed."""
    stop: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of all steps at which the last part is closed and the choice is final."""
    every: PositiveInt = 100
    """Steps between two choices."""
    penalty: NonNegativeFloat = 0.1
    """Weight in the loss of the mean variance of the parts' vectors, until the choice is final."""

    @model_validator(mode="after")
    def _in_order(self) -> DynamicRankConfig:
        refuse_twice("targets", self.targets, "q")
        if self.start >= self.stop:
            raise ValueError(f"`start` {self.start} must be below `stop` {self.stop}")
        return self
