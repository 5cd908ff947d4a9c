"""`VisionTransformer`, `Beit` and `Eva`: one sequence of tokens, class token and registers before
the patches.

Shapes: B batch, T tokens, D width, N patch tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from timm.layers import global_pool_nlc
from timm.models import beit, deit, eva, vision_transformer
from torch import Tensor, nn

from onlay.anatomy import Anatomy, OutputOf, Site, Stage, Undo
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
from onlay_image.anatomy.pooling import pool_of, with_prefix
from onlay_image.anatomy.prenorm import prenorm_block
from onlay_image.anatomy.room import BiasRoom, MaskRoom, RopeRoom
from onlay_image.timm_types import TimmModule

_BLOCKS = {
    vision_transformer.VisionTransformer: vision_transformer.Block,
    deit.VisionTransformerDistilled: vision_transformer.Block,
    beit.Beit: beit.Block,
    eva.Eva: eva.EvaBlock,
}


HEADS = ("head.", "head_dist.")
"""The classifiers, of which a distilled DeiT has two."""


def dissect_sequence(model: TimmModule) -> Anatomy:
    """The anatomy of a `VisionTransformer`, `Beit` or `Eva`.

    Raises:
        AnatomyError: blocks of another kind than the family's usual one, or patches that are
            dropped.
    """
    _refuse_other_blocks(model)
    width = model.embed_dim
    blocks = [
        prenorm_block(block, index, width, keys_cancel=_keys_cancel(model, block))
        for index, block in enumerate(model.blocks)
    ]
    has_class_token = model.cls_token is not None
    provides = {"sequence", "grid", "insertion", "extension"}
    if has_class_token:
        provides.add("class_token")
    return SequenceAnatomy(
        model,
        stages=[Stage(0, width, blocks, patch_of(model))],
        sites={site.name: site for site in _whole(model, width)},
        provides=frozenset(provides),
        prefix=model.num_prefix_tokens,
        class_token=(model, "cls_token") if has_class_token else None,
        skipped=(model.patch_embed,),
        unfit={
            "class_token": "it has no class token",
            "hierarchical": "all of its blocks have one width",
            "points": "it reads images",
        },
        grid=model.patch_embed.grid_size,
    )


def _refuse_other_blocks(model: TimmModule) -> None:
    usual = _BLOCKS[type(model)]
    for block in model.blocks:
        if type(block) is not usual:
            raise AnatomyError(
                f"a `{type(model).__name__}` with blocks of kind `{type(block).__name__}` cannot"
                f" be adapted; supported are those of `{usual.__name__}`"
            )
    if not isinstance(getattr(model, "patch_drop", None), nn.Identity | None):
        raise AnatomyError(
            "a model that drops patches cannot be adapted; set `patch_drop_rate` to 0"
        )


def _keys_cancel(model: TimmModule, block: TimmModule) -> bool:
    normed = not isinstance(getattr(block.attn, "k_norm", nn.Identity()), nn.Identity)
    return getattr(model, "rope", None) is None and not normed


def _whole(model: TimmModule, width: int) -> list[Site]:
    entry = getattr(model, "norm_pre", model.pos_drop)
    embed, norm = model.patch_embed, model.norm
    return [
        pixels(model),
        Site("embed.out", "embed.out", width, OutputOf(embed), writer=embed_target(embed)),
        Site("tokens.in", "tokens.in", width, OutputOf(entry), writer=norm_target(entry)),
        Site("norm.out", "norm.out", width, OutputOf(norm), writer=norm_target(norm)),
    ]


@dataclass(eq=False)
class SequenceAnatomy(Anatomy):
    """Patches are always the last N tokens; N comes from the size of the input."""

    model: TimmModule
    grid: tuple[int, int] = (0, 0)
    """Height and width of the patch grid of the current (or last) input."""

    @property
    def pooling(self) -> str:
        pool = pool_of(self.model)
        return f"{pool} with prefix" if pool != "token" and with_prefix(self.model) else pool

    def prepared(self, inputs: Tensor) -> Tensor:
        """As always, of images; whether their size fits, `encode` sees."""
        refuse_other_images(inputs, self.model.patch_embed)
        return super().prepared(inputs)

    def encode(self, inputs: Tensor, *, inserted: int = 0, levels: Sequence[int] = ()) -> Features:
        if not levels:
            return self._features(self._run(inputs), inserted, inputs)
        with recorded(self.blocks, levels) as outputs:
            x_BTD = self._run(in_whole_patches(inputs, self.model))
        maps = [self._map(outputs[level]) for level in levels]
        return self._features(x_BTD, inserted, inputs, maps)

    def _run(self, images: Tensor) -> Tensor:
        refuse_other_sizes(images, self.model.patch_embed)
        self.grid = self.model.patch_embed.dynamic_feat_size(images.shape[-2:])
        return self.model.forward_features(images)

    def follow(self) -> list[Undo]:
        return [self.model.patch_embed.register_forward_pre_hook(self._see)]

    def _see(self, patch_embed: TimmModule, args: tuple[Tensor, ...]) -> None:
        self.grid = patch_embed.dynamic_feat_size(args[0].shape[-2:])

    def layout(self, block: int, *, inserted: int = 0) -> Grid:
        return Grid(*self.grid, prefix=self.prefix + inserted)

    def example(self, batch: int = 1) -> Tensor:
        size = self.model.patch_embed.img_size
        return normal_like(next(self.model.parameters()), batch, self.model.in_chans, *size)

    def make_room(self, block: int, count: int) -> list[Undo]:
        rooms: dict[type, Any] = {beit.Beit: BiasRoom, eva.Eva: RopeRoom}
        kind = rooms.get(type(self.model))
        undos: list[Undo] = []
        for attn in (later.module.attn for later in self.blocks[block:]):
            undos += MaskRoom(attn, self.insertion_point).install()
            undos += [] if kind is None else kind(attn).install()
        return undos

    def trunk(self) -> dict[str, Tensor]:
        state = self.model.state_dict()
        return {name: tensor for name, tensor in state.items() if not name.startswith(HEADS)}

    def _map(self, x_BTD: Tensor) -> Tensor:
        height, width = self.grid
        return (
            x_BTD[:, -height * width :].transpose(1, 2).unflatten(2, (height, width)).contiguous()
        )

    def _features(
        self, x_BTD: Tensor, inserted: int, inputs: Tensor, levels: Sequence[Tensor] = ()
    ) -> Features:
        first = 0 if self.class_token is None else 1
        prompts, count = x_BTD[:, first : first + inserted], self.grid[0] * self.grid[1]
        return Features(
            cls=x_BTD[:, 0] if first else None,
            prompts=prompts,
            patches=x_BTD[:, -count:],
            layout=self.layout(len(self.blocks), inserted=inserted),
            pooled=self._pooled(x_BTD, first, inserted),
            levels=levels,
            inputs=inputs,
        )

    def _pooled(self, x_BTD: Tensor, first: int, inserted: int) -> Tensor:
        """As timm's own head pools; only an attention pool sees inserted tokens."""
        model, prefix = self.model, self.prefix
        if getattr(model, "attn_pool", None) is not None:
            if not getattr(model, "pool_include_prefix", True):
                inserted_BPD = x_BTD[:, first : first + inserted]
                x_BTD = torch.cat([inserted_BPD, x_BTD[:, prefix + inserted :]], dim=1)
            return model.fc_norm(model.attn_pool(x_BTD))
        if inserted:
            x_BTD = torch.cat([x_BTD[:, :first], x_BTD[:, first + inserted :]], dim=1)
        if hasattr(model, "dist_token"):
            return x_BTD[:, :2].mean(1)  # timm's mean of its two heads, which are linear
        pooled = global_pool_nlc(
            x_BTD,
            pool_type=pool_of(model),
            num_prefix_tokens=prefix,
            reduce_include_prefix=with_prefix(model),
        )
        return model.fc_norm(pooled)
