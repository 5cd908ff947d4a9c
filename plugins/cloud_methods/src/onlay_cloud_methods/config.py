"""Settings of methods for point clouds; imports no torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from onlay.settings import Config


class IdptConfig(Config):
    """IDPT: one token, made from the groups by a graph network, enters the sequence late."""

    name: Literal["idpt"] = "idpt"
    """This method."""
    layer: NonNegativeInt | None = None
    """The first block that sees the token, counted from 0; default: the last one. The authors take
    6 of 12 for one variant of ScanObjectNN, chosen on its test part."""
    neighbours: PositiveInt = 20
    """Of every group, itself among them, near in features and not in space."""
    train_class_token: bool = True
    """Train the class token and its position, too, as the authors do. Without it the backward pass
    ends where the token enters."""


class PointgstConfig(Config):
    """PointGST: bottlenecks beside each MLP that also act on the spectrum of the cloud's graph."""

    name: Literal["pointgst"] = "pointgst"
    """This method."""
    rank: PositiveInt = 36
    """Width r of the bottleneck."""
    chunk: PositiveInt = 32
    """Groups of a local graph, neighbours along a curve that fills space; the last one is smaller
    where it does not divide all groups."""
    legacy: bool = False
    """As the authors' code computes: eigenvectors where their transpose is meant, the smallest
    distance of the whole batch, so that an answer depends on what else is in the batch, and a curve
    through cells of 0.01, whatever the cloud's size."""
    laplacian: Literal["normalised", "plain"] = "normalised"
    """Of the cloud's graph: I - D^-1/2 W D^-1/2, or D - W, which the authors' code has in the
    versions that are public."""
    train_class_token: bool = True
    """Train the class token and its position, too, as the authors do."""


class StagConfig(Config):
    """STAG: a narrow graph network beside the backbone, which speaks from a middle block on."""

    name: Literal["stag"] = "stag"
    """This method."""
    kind: Literal["std", "sl"] = "std"
    """`std`: one projection for all blocks and one graph layer for the later half; `sl`: one
    projection for each quarter of the blocks, and a graph layer for each but the first."""
    width: PositiveInt = 192
    """Channels of the network."""
    neighbours: PositiveInt = 8
    """Nearest centres of a group, itself among them."""
    norm: bool = False
    """Leave the last norm to the backbone; the authors' head reads tokens without it."""


class PptConfig(Config):
    """PPT: the groups once more as prompt tokens, and bottlenecks that all blocks share."""

    name: Literal["ppt"] = "ppt"
    """This method."""
    tokens: PositiveInt | None = None
    """Prompt tokens: the first so many groups once more. Default: as many as there are groups, as
    the authors take; they allow another number and size of groups, which nothing of theirs uses."""
    bottleneck: PositiveInt = 256
    """Inner width of the three bottlenecks."""
    train_embedders: bool = True
    """Train what makes positions and the tokeniser's first layers, too, as the authors do."""
    train_class_token: bool = True
    """Train the class token and its position, too, as the authors do."""


class PointPeftConfig(Config):
    """Point-PEFT: prompts with a memory of the training clouds, adapters, and a step by geometry.
    What is called a reading is not in what we know of the authors' code."""

    name: Literal["point_peft"] = "point_peft"
    """This method."""
    rank: PositiveInt = 16
    """Width of the two bottlenecks of a block."""
    memory_rank: PositiveInt = 8
    """Width of the bottleneck that a prompted block has for the memory."""
    remembered: PositiveInt = 8
    """Nearest training clouds that a cloud remembers; there are two more prompts, and as many
    learned points: for the cloud's own feature and for the mean of what it remembers."""
    prompted: NonNegativeInt | None = None
    """How many of the first blocks get prompts; default: half of them. 0: none, and no memory."""
    bank: PositiveInt = 1024
    """At most so many training clouds are kept, at even steps through the training part; the bundle
    holds their features. The authors keep all, 11,392 of ScanObjectNN."""
    feature: Literal["max", "mean"] = "max"
    """A cloud's feature, over the groups in front of the first block; a reading."""
    temperature: PositiveFloat = 0.1
    """By which similarities (cosines) are divided before the softmax; a reading."""
    neighbours: PositiveInt = 16
    """Groups around each of the chosen centres, itself among them."""
    attention_width: PositiveInt = 18
    """Width of the attention inside a neighbourhood."""
    attention_heads: PositiveInt = 6
    """Its heads."""
    adapter_scale: NonNegativeFloat = 0.7
    """By which the MLP's bottleneck is multiplied."""
    geometry_scale: NonNegativeFloat = 0.3
    """By which the step by geometry is multiplied, and in it a centre's own token."""
    order: Literal["geometry_first", "adapter_first"] = "geometry_first"
    """Which of the two comes first at a block's end, the step by geometry or the second bottleneck;
    a reading."""
    train_class_token: bool = True
    """Train the class token and its position, too, as the authors do."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.remembered > self.bank:
            raise ValueError(f"`remembered` {self.remembered} is more than `bank` {self.bank}")
        if self.attention_width % self.attention_heads:
            raise ValueError(
                f"`attention_width` {self.attention_width} is no multiple of `attention_heads`"
                f" {self.attention_heads}"
            )
        return self
