"""Settings of bottlenecks beside, behind and in front of frozen parts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from onlay.settings import Config
from onlay_baselines.config.choices import refuse_twice


class AdaptformerConfig(Config):
    """AdaptFormer: a bottleneck beside each MLP, which reads the residual stream without a norm."""

    name: Literal["adaptformer"] = "adaptformer"
    """This method."""
    bottleneck: PositiveInt = 64
    """Width d of the bottleneck; 8 in the tables of VTAB-1k."""
    scale: PositiveFloat = 0.1
    """What its output is multiplied with, fixed."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Behind the ReLU, while training."""
    bias: bool = True
    """Biases of both layers; a later code base (binary adapters) has none."""


class AdapterConfig(Config):
    """Adapters in sequence: Houlsby's behind attention and MLP, or Pfeiffer's behind the MLP
    alone."""

    name: Literal["adapter"] = "adapter"
    """This method."""
    kind: Literal["houlsby", "pfeiffer"] = "houlsby"
    """`houlsby`: after the output projection of attention and after the MLP, each before its
    residual sum; `pfeiffer`: one for each block, behind the MLP. On ViT both stand in front of
    LayerScale, a reading: where that is 1e-5, as in DINOv2, they are nearly mute."""
    bottleneck: PositiveInt = 64
    """Width d; Pfeiffer's comparisons take an eighth of the network's width."""
    init: Literal["near_zero", "zero_up"] | None = None
    """`near_zero`: both matrices from a truncated normal of deviation 1e-3, so that the start is
    nearly the bare network (Houlsby's code); `zero_up`: the second one 0, exactly the bare network,
    a reading. Left out: the former with `houlsby`, the latter with `pfeiffer`."""
    norms: bool | None = None
    """Train the two norms of each block, too; left out, as the papers do: with `houlsby` (a reading
    for networks with the norm in front), not with `pfeiffer`."""


class ConvpassConfig(Config):
    """Convpass: small convolutions on the map of patches beside attention and MLP."""

    name: Literal["convpass"] = "convpass"
    """This method."""
    hidden: PositiveInt = 8
    """Channels h of the convolution."""
    sites: tuple[Literal["attn", "mlp"], ...] = ("attn", "mlp")
    """Beside which parts of a block."""
    scale: PositiveFloat = 1.0
    """What its output is multiplied with; the authors choose it for each task from 0.01, 0.1, 1,
    10, 100."""
    conv_init: Literal["identity", "xavier"] = "identity"
    """Start of the 3 x 3 convolution; the authors choose it for each task."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """In front of the last layer, while training."""
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """Share of the inputs whose convolution is left out while training, drawn for each branch by
    itself."""

    @model_validator(mode="after")
    def _once(self) -> ConvpassConfig:
        refuse_twice("sites", self.sites, "attn")
        return self


class RepadapterConfig(Config):
    """RepAdapter: linear bottlenecks in front of attention and MLP, which merge."""

    name: Literal["repadapter"] = "repadapter"
    """This method."""
    bottleneck: PositiveInt = 8
    """Width d, a multiple of `groups`."""
    groups: PositiveInt = 2
    """Of the second layer: each part of the output reads a part of the bottleneck."""
    scale: PositiveFloat = 1.0
    """What is added is multiplied with it; the authors choose it for each task."""
    sites: tuple[Literal["attn", "mlp"], ...] = ("attn", "mlp")
    """In front of which parts of a block."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """On the bottleneck, while training."""
    sparsity: float = Field(default=0.0, ge=0)
    """Weight in the loss of the norms (not their squares) of each second layer's weight and bias; 1
    in the authors' script for VTAB-1k, which the preset `vtab1k` takes."""

    @model_validator(mode="after")
    def _once(self) -> RepadapterConfig:
        refuse_twice("sites", self.sites, "attn")
        return self


class MonaConfig(Config):
    """Mona: bottlenecks with three depthwise convolutions behind both residual sums of a block."""

    name: Literal["mona"] = "mona"
    """This method."""
    bottleneck: PositiveInt = 64
    """Width d, the same whatever the network's width."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """In front of the last layer, while training."""


class AdalinkConfig(Config):
    """AdaLink: one bottleneck with a residual in front of the first block, and nothing inside."""

    name: Literal["adalink"] = "adalink"
    """This method."""
    rank: PositiveInt = 64
    """Width r of the bottleneck."""
    activation: Literal["none", "gelu"] = "none"
    """Between its layers. The paper speaks of a low-rank MLP and was not seen in full: without an
    activation is a reading."""
    bias: bool = True
    """Biases of both layers."""
    site: Literal["auto", "embed.out", "tokens.in"] = "auto"
    """`embed.out`: patches alone, where it merges into the patch embedding if there is no
    activation; `tokens.in`: all tokens; `auto`: the first of these that the backbone has,
    else the first block's entry. A reading."""


class PastaConfig(Config):
    """PASTA: a learnt vector for each special token of each block, added to it before attention."""

    name: Literal["pasta"] = "pasta"
    """This method."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """On the vectors, while training."""
    init_std: float = Field(default=0.0, ge=0)
    """Deviation of the vectors' normal start; 0.02 in the authors' code. At 0, a reading, the start
    is the bare network."""
