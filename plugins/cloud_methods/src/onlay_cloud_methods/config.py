"""Settings of methods for point clouds; imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

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
    """As the authors' code computes: eigenvectors where their transpose is meant, and the smallest
    distance of the whole batch, so that an answer depends on what else is in the batch."""
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
