"""`SwinTransformer` and `SwinTransformerV2`: stages of windowed blocks on shrinking maps.

Shapes: B batch, H and W the map, C width. All attention sites are whole maps (B, H, W, C), so that
    a module there meets every token once and in its place; the MLP's sites are maps flattened row
    by row (B, H W, C).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from timm.models import swin_transformer as v1
from timm.models import swin_transformer_v2 as v2
from torch import Tensor

from onlay.anatomy import Anatomy, Block, OutputOf, Site, Stage, Undo
from onlay.anatomy.examples import normal_like
from onlay.anatomy.levels import recorded
from onlay.errors import AnatomyError
from onlay.features import Features, Grid
from onlay_image.anatomy.building import embed_target, norm_target, pixels
from onlay_image.anatomy.inputs import (
    in_whole_patches,
    patch_of,
    refuse_other_images,
    refuse_other_sizes,
)
from onlay_image.anatomy.pooling import pool_of
from onlay_image.anatomy.swin_blocks import swin_block, swin_v2_block
from onlay_image.timm_types import TimmModule

_BLOCKS = {
    v1.SwinTransformer: (v1.SwinTransformerBlock, swin_block),
    v2.SwinTransformerV2: (v2.SwinTransformerV2Block, swin_v2_block),
}


def dissect_swin(model: TimmModule) -> Anatomy:
    """The anatomy of a Swin of either version."""
    stages = list(_stages(model))
    return SwinAnatomy(
        model,
        stages=stages,
        sites={site.name: site for site in _whole(model, stages)},
        provides=frozenset({"sequence", "grid", "hierarchical"}),
        unfit={
            "class_token": "it has no class token",
            "insertion": "attention works in windows of a fixed number of tokens",
            "extension": "attention works in windows of a fixed number of tokens",
            "points": "it reads images",
        },
        skipped=(model.patch_embed,),
        grid=model.patch_embed.grid_size,
    )


def _stages(model: TimmModule) -> Iterator[Stage]:
    usual, make_block = _BLOCKS[type(model)]
    index = 0
    for number, layer in enumerate(model.layers):
        blocks: list[Block] = []
        for block in layer.blocks:
            if type(block) is not usual:
                name = type(block).__name__
                raise AnatomyError(f"a Swin with blocks of kind `{name}` cannot be adapted")
            blocks.append(make_block(block, index))
            index += 1
        height, width = patch_of(model)
        yield Stage(number, blocks[0].width, blocks, (height << number, width << number))


def _whole(model: TimmModule, stages: Sequence[Stage]) -> list[Site]:
    first, last = stages[0].width, stages[-1].width
    embed, norm = model.patch_embed, model.norm
    return [
        pixels(model),
        Site("embed.out", "embed.out", first, OutputOf(embed), writer=embed_target(embed)),
        Site("norm.out", "norm.out", last, OutputOf(norm), writer=norm_target(norm)),
    ]


@dataclass(eq=False)
class SwinAnatomy(Anatomy):
    """No prefix tokens; every stage but the first halves the grid, rounding up."""

    model: TimmModule
    grid: tuple[int, int] = (0, 0)
    """Height and width of the first stage's grid for the current (or last) input."""

    @property
    def pooling(self) -> str:
        return pool_of(self.model)

    def prepared(self, inputs: Tensor) -> Tensor:
        """As always, of images; whether their size fits, `encode` sees."""
        refuse_other_images(inputs, self.model.patch_embed)
        return super().prepared(inputs)

    def encode(self, inputs: Tensor, *, inserted: int = 0, levels: Sequence[int] = ()) -> Features:
        assert not inserted, "no token can be inserted into windows"
        if not levels:
            return self._features(self._run(inputs), inputs)
        with recorded(self.blocks, levels) as outputs:
            x_BHWC = self._run(in_whole_patches(inputs, self.model))
        maps = [outputs[level].permute(0, 3, 1, 2).contiguous() for level in levels]
        return self._features(x_BHWC, inputs, maps)

    def _run(self, images: Tensor) -> Tensor:
        refuse_other_sizes(images, self.model.patch_embed)
        self.grid = self.model.patch_embed.dynamic_feat_size(images.shape[-2:])
        return self.model.forward_features(images)

    def follow(self) -> list[Undo]:
        return [self.model.patch_embed.register_forward_pre_hook(self._see)]

    def _see(self, patch_embed: TimmModule, args: tuple[Tensor, ...]) -> None:
        self.grid = patch_embed.dynamic_feat_size(args[0].shape[-2:])

    def layout(self, block: int, *, inserted: int = 0) -> Grid:
        ends = [stage.blocks[-1].index for stage in self.stages]
        halvings = min(sum(block > end for end in ends), len(ends) - 1)
        height, width = self.grid
        for _ in range(halvings):
            height, width = (height + 1) // 2, (width + 1) // 2
        return Grid(height, width)

    def example(self, batch: int = 1) -> Tensor:
        size = self.model.patch_embed.img_size
        return normal_like(next(self.model.parameters()), batch, self.model.in_chans, *size)

    def make_room(self, block: int, count: int) -> list[Undo]:
        raise AssertionError("no token can be inserted into windows")

    def trunk(self) -> dict[str, Tensor]:
        state = self.model.state_dict()
        return {name: tensor for name, tensor in state.items() if not name.startswith("head.fc.")}

    def _features(self, x_BHWC: Tensor, inputs: Tensor, levels: Sequence[Tensor] = ()) -> Features:
        patches = x_BHWC.flatten(1, 2)
        pool = self.model.head.global_pool
        return Features(
            cls=None,
            prompts=patches[:, :0],
            patches=patches,
            layout=self.layout(len(self.blocks)),
            pooled=pool(x_BHWC) if pool.pool_type else patches.mean(dim=1),
            levels=levels,
            inputs=inputs,
        )
