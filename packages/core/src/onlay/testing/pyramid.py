"""A hierarchical transformer of a few thousand parameters: two stages of different width.

Shapes: B batch, D width, H and W the grid of patches of a stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from onlay.anatomy import BuiltBackbone, ModuleTarget, OutputOf, Site, Stage
from onlay.anatomy.examples import normal_like
from onlay.anatomy.levels import recorded
from onlay.features import Features, Grid
from onlay.testing.tiny import TinyAnatomy, TinyBlock, as_map, described, given


class _Merge(nn.Module):
    """Four neighbours of a map become one token of twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * width, 2 * width)

    def forward(self, x_BHWD: Tensor) -> Tensor:
        B, H, W, D = x_BHWD.shape
        fours = x_BHWD.view(B, H // 2, 2, W // 2, 2, D).transpose(2, 3)
        return self.reduction(fours.reshape(B, H // 2, W // 2, 4 * D))


class TinyPyramid(nn.Module):
    """Images (B, 3, 8h, 8w) to tokens (B, h w, 2 D); no class token."""

    def __init__(self, width: int = 8, depths: Sequence[int] = (2, 1), heads: int = 2) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, width, 4, 4)
        self.merge = _Merge(width)
        self.depths = tuple(depths)
        widths = [width] * depths[0] + [2 * width] * depths[1]
        self.blocks = nn.ModuleList(TinyBlock(each, heads, True) for each in widths)
        self.norm = nn.LayerNorm(2 * width)
        self.grad_checkpointing = False

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        self.grad_checkpointing = enable

    def forward(self, images: Tensor) -> Tensor:
        map_BHWD = self.embed(images).permute(0, 2, 3, 1)
        x = self._run(map_BHWD.flatten(1, 2), self.blocks[: self.depths[0]])
        x = self.merge(x.view(map_BHWD.shape)).flatten(1, 2)
        return self.norm(self._run(x, self.blocks[self.depths[0] :]))

    def _run(self, x: Tensor, blocks: nn.ModuleList) -> Tensor:
        for block in blocks:
            if self.grad_checkpointing:
                x = torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        return x


class TinyPyramidAnatomy(TinyAnatomy):
    """The anatomy of a `TinyPyramid`."""

    def encode(self, inputs: Tensor, *, inserted: int = 0, levels: Sequence[int] = ()) -> Features:
        self._see(inputs)
        with recorded(self.blocks, levels) as seen:
            tokens = self.model(inputs)
        grids = [self.layout(block) for block in levels]
        maps = [as_map(seen[i], g.height, g.width) for i, g in zip(levels, grids, strict=True)]
        layout = self.layout(len(self.blocks) - 1)
        return Features(None, tokens[:, :0], tokens, layout, tokens.mean(1), maps, inputs=inputs)

    def layout(self, block: int, *, inserted: int = 0) -> Grid:
        height, width = self._grid
        first = block < len(self.stages[0].blocks)
        return Grid(height, width) if first else Grid(height // 2, width // 2)

    def example(self, batch: int = 1) -> Tensor:
        return normal_like(next(self.model.parameters()), batch, 3, 16, 16)


def tiny_pyramid(seed: int = 0, **kwargs: Any) -> BuiltBackbone:
    """A seeded `TinyPyramid` (keyword arguments are its own), ready to be adapted."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = TinyPyramid(**kwargs)
    blocks = [described(i, block) for i, block in enumerate(model.blocks)]
    cut = model.depths[0]
    width = model.norm.normalized_shape[0]
    norm = ModuleTarget(model.norm, diagonal=True)
    anatomy = TinyPyramidAnatomy(
        model=model,
        stages=[
            Stage(i, part[0].width, part, (4 << i, 4 << i))
            for i, part in enumerate((blocks[:cut], blocks[cut:]))
        ],
        sites={
            "input": given(model.embed, 3, -3),
            "norm.out": Site("norm.out", "norm.out", width, OutputOf(model.norm), writer=norm),
        },
        provides=frozenset({"sequence", "grid", "hierarchical"}),
    )
    spec = {"img_size": [16, 16], "mean": [0.5] * 3, "std": [0.5] * 3}
    return BuiltBackbone(
        module=model,
        anatomy=anatomy,
        modality="image",
        input_spec=spec,
        source={},
        label="tiny_pyramid",
    )
