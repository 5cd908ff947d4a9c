"""Settings of the decoders; imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from onlay.settings import Config


class AutoConfig(Config):
    """DPT on maps of one size, as a plain transformer has them, UPerNet on those of a hierarchical
    backbone: the one that was chosen is what reports and bundles name."""

    name: Literal["auto"] = "auto"
    """This choice."""
    width: PositiveInt = 64
    """Channels in which the chosen decoder joins its maps."""


class LinearConfig(Config):
    """The last map, each place normed over its channels: the task's 1 x 1 convolution on it is the
    linear probe of the field."""

    name: Literal["linear"] = "linear"
    """This decoder."""


class DptConfig(Config):
    """Dense Prediction Transformer: four maps of one size are brought to four sizes and joined from
    the coarsest to the finest, in residual convolutions; plain transformers alone."""

    name: Literal["dpt"] = "dpt"
    """This decoder."""
    width: PositiveInt = 64
    """Channels in which the maps are joined; 256 in the paper."""
    channels: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (48, 96, 192, 192)
    """Channels of the four maps, the finest first, before they are joined; (256, 512, 1024, 1024)
    in the paper, which makes 28 million parameters."""


class UperNetConfig(Config):
    """UPerNet: the coarsest map pooled on grids of 1, 2, 3 and 6, joined downwards with the finer
    ones, and all of them at once."""

    name: Literal["upernet"] = "upernet"
    """This decoder."""
    width: PositiveInt = 64
    """Channels in which the maps are joined, and of the pyramid where one is made; 256 or 512 in
    papers."""


class FpnConfig(Config):
    """Panoptic FPN's branch for segmentation: a feature pyramid whose maps are brought to one size
    and added."""

    name: Literal["fpn"] = "fpn"
    """This decoder."""
    width: Annotated[int, Field(gt=0, multiple_of=32)] = 64
    """Channels of its pyramid, of what the maps become, and of the pyramid that it is given where
    one is made; 256 and 128 in the paper."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of channels of the sum that are left out while training."""


class SegformerConfig(Config):
    """SegFormer's decoder: a linear layer on each map, and one on all of them."""

    name: Literal["segformer"] = "segformer"
    """This decoder."""
    width: PositiveInt = 64
    """Channels of each linear layer, and of the pyramid where one is made; 256 or 768 in the
    paper."""
