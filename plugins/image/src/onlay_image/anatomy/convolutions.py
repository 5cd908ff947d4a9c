"""The anatomy of a plain convolutional network: blocks that halve a map, and no tokens to insert.

Shapes: B batch, D width, H and W the last map, N = H W.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import Anatomy, Block, GivenTo, InputOf, OutputOf, Site, Stage, Undo
from onlay.anatomy.examples import normal_like
from onlay.anatomy.inputs import refuse_other_inputs
from onlay.anatomy.levels import recorded
from onlay.errors import DataError
from onlay.features import Features, Grid
from onlay_image.backbones.traits import CONVOLUTIONAL
from onlay_image.network.small_cnn import SmallCnn

_TOKENS = ("sequence", "class_token", "insertion", "extension", "points")
_PADDED = "a convolution reads this map with zeros around it"


def dissect_convolutions(model: SmallCnn, size: tuple[int, int]) -> ConvolutionAnatomy:
    """Of a network that is shown images of this height and width."""
    stages = [_stage(block, index) for index, block in enumerate(model.blocks)]
    port = GivenTo(model.pixels)
    given = Site("input", "input", model.in_chans, port, unfoldable=_PADDED, axis=-3)
    return ConvolutionAnatomy(
        model,
        stages=stages,
        sites={"input": given},
        provides=CONVOLUTIONAL,
        unfit=dict.fromkeys(_TOKENS, "it is a plain convolutional network, to be trained whole"),
        size=size,
    )


def _stage(module: Any, index: int) -> Stage:
    width = module[0].num_features
    sites = [
        Site(name, f"blocks.{index}.{name}", width, port, unfoldable=_PADDED)
        for name, port in (("block.in", InputOf(module)), ("block.out", OutputOf(module)))
    ]
    block = Block(index, width, {site.name: site for site in sites}, module)
    return Stage(index, width, [block], (1 << index, 1 << index))


@dataclass(eq=False)
class ConvolutionAnatomy(Anatomy):
    """Patches are the places of the last map, row by row."""

    model: Any
    size: tuple[int, int] = (0, 0)
    seen: tuple[int, int] = (0, 0)
    """Height and width of the current (or last) input."""

    def prepared(self, inputs: Tensor) -> Tensor:
        """Images of at least one place on the last map."""
        if not torch.compiler.is_compiling():
            refuse_other_inputs(inputs, "images (B, C, H, W)", 4)
            _refuse_odd(inputs, self.model.in_chans, self._stride)
        return super().prepared(inputs)

    def encode(self, inputs: Tensor, *, inserted: int = 0, levels: Sequence[int] = ()) -> Features:
        assert not inserted, "a map has no place for further tokens"
        self._see(self.model, (inputs,))
        if not levels:
            return self._features(self.model(inputs), inputs)
        with recorded(self.blocks, levels) as outputs:
            last = self.model(self._whole(inputs))
        maps = [outputs[level].permute(0, 3, 1, 2).contiguous() for level in levels]
        return self._features(last, inputs, maps)

    @property
    def _stride(self) -> int:
        """Pixels to a place of the last map."""
        return 1 << (len(self.stages) - 1)

    def _whole(self, images: Tensor) -> Tensor:
        """Zeros, the mean colour, at the bottom and right of what the last map does not divide."""
        height, width = (-side % self._stride for side in images.shape[-2:])
        return F.pad(images, (0, width, 0, height)) if height or width else images

    def follow(self) -> list[Undo]:
        return [self.model.register_forward_pre_hook(self._see)]

    def _see(self, model: nn.Module, args: tuple[Tensor, ...]) -> None:
        height, width = args[0].shape[-2:]
        self.seen = height, width

    def layout(self, block: int, *, inserted: int = 0) -> Grid:
        halvings = min(block, len(self.stages) - 1)
        return Grid(self.seen[0] >> halvings, self.seen[1] >> halvings)

    def example(self, batch: int = 1) -> Tensor:
        weight = next(self.model.parameters())
        return normal_like(weight, batch, self.model.in_chans, *self.size)

    def make_room(self, block: int, count: int) -> list[Undo]:
        raise AssertionError("a map has no place for further tokens")

    def trunk(self) -> dict[str, Tensor]:
        return self.model.state_dict()

    def _features(self, x_BHWD: Tensor, inputs: Tensor, levels: Sequence[Tensor] = ()) -> Features:
        patches_BND = x_BHWD.flatten(1, 2)
        return Features(
            cls=None,
            prompts=patches_BND[:, :0],
            patches=patches_BND,
            layout=self.layout(len(self.stages)),
            pooled=patches_BND.mean(1),
            levels=levels,
            inputs=inputs,
        )


def _refuse_odd(images: Tensor, channels: int, least: int) -> None:
    if images.shape[1] != channels or min(images.shape[-2:]) < least:
        raise DataError(
            f"the network takes images of {channels} channels and at least {least} pixels, and"
            f" these are {tuple(images.shape)} as (B, C, H, W)"
        )
