"""A pre-norm vision transformer of a few thousand parameters, with every site.

Shapes: B batch, T tokens, D width, H and W the grid of patches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import (
    Anatomy,
    Block,
    BuiltBackbone,
    GivenTo,
    InputOf,
    ModuleTarget,
    OutputOf,
    ResidualInto,
    Site,
    Stage,
    Undo,
)
from onlay.anatomy.examples import normal_like
from onlay.anatomy.levels import recorded
from onlay.anatomy.parts import FUSED
from onlay.features import Features, Grid, Layout


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int, qkv_bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = nn.Linear(width, width)

    def forward(self, x_BTD: Tensor) -> Tensor:
        B, T, D = x_BTD.shape
        qkv = self.qkv(x_BTD).view(B, T, 3, self.heads, D // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).reshape(B, T, D))


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 2 * width)
        self.fc2 = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class TinyBlock(nn.Module):
    """Pre-norm attention and MLP on tokens (B, T, D)."""

    def __init__(self, width: int, heads: int, qkv_bias: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = _Attention(width, heads, qkv_bias)
        self.mlp = _Mlp(width)
        self.drop_path2 = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.drop_path2(self.mlp(self.norm2(x)))


class TinyBackbone(nn.Module):
    """Images (B, 3, 4h, 4w) to tokens (B, 1 + h w, D), class token first, no position embedding."""

    def __init__(
        self, width: int = 16, depth: int = 2, heads: int = 2, *, qkv_bias: bool = True
    ) -> None:
        super().__init__()
        self.embed: nn.Module = nn.Conv2d(3, width, 4, 4)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.blocks = nn.ModuleList(TinyBlock(width, heads, qkv_bias) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.grad_checkpointing = False

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        self.grad_checkpointing = enable

    def patches(self, inputs: Tensor) -> Tensor:
        """(B, N, D)."""
        return self.embed(inputs).flatten(2).transpose(1, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        x = self.patches(inputs)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1)
        for block in self.blocks:
            if self.grad_checkpointing:
                x = torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        return self.norm(x)


def as_map(patches_BND: Tensor, height: int, width: int) -> Tensor:
    """(B, D, H, W)."""
    return patches_BND.transpose(1, 2).unflatten(2, (height, width))


class TinyAnatomy(Anatomy):
    """The anatomy of a `TinyBackbone`; the shortest example of how a backbone is described."""

    given: ClassVar[tuple[int, int]] = (3, -3)
    """How many channels inputs have, and on which axis."""
    _grid: tuple[int, int] = (2, 2)

    def encode(self, inputs: Tensor, *, inserted: int = 0, levels: Sequence[int] = ()) -> Features:
        self._see(inputs)
        with recorded(self.blocks, levels) as seen:
            tokens = self.model(inputs)
        layout = self.layout(len(self.blocks), inserted=inserted)
        patches, prompts = tokens[:, layout.prefix :], tokens[:, 1 : 1 + inserted]
        maps = [self._level(seen[block][:, -patches.shape[1] :]) for block in levels]
        return Features(tokens[:, 0], prompts, patches, layout, tokens[:, 0], maps, inputs=inputs)

    def _level(self, patches_BND: Tensor) -> Tensor:
        return as_map(patches_BND, *self._grid)

    def follow(self) -> list[Undo]:
        return [self.model.get_submodule("embed").register_forward_hook(self._enter)]

    def _enter(self, embed: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        self._see(args[0])

    def _see(self, inputs: Tensor) -> None:
        self._grid = (inputs.shape[-2] // 4, inputs.shape[-1] // 4)

    def layout(self, block: int, *, inserted: int = 0) -> Layout:
        return Grid(*self._grid, prefix=1 + inserted)

    def example(self, batch: int = 1) -> Tensor:
        return normal_like(next(self.model.parameters()), batch, 3, 8, 8)

    def make_room(self, block: int, count: int) -> list[Undo]:
        return []

    def trunk(self) -> dict[str, Tensor]:
        return self.model.state_dict()


def tiny_backbone(seed: int = 0, **kwargs: Any) -> BuiltBackbone:
    """A seeded `TinyBackbone` (keyword arguments are its own), ready to be adapted."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = TinyBackbone(**kwargs)
    spec = {"img_size": [8, 8], "mean": [0.5] * 3, "std": [0.5] * 3}
    return built(model, TinyAnatomy, "tiny", "image", "grid", spec)


def built(
    model: TinyBackbone,
    anatomy: type[TinyAnatomy],
    label: str,
    modality: str,
    layout: str,
    spec: dict[str, Any],
) -> BuiltBackbone:
    """What a plugin's `build` gives: sites, traits, and how inputs are prepared."""
    width = model.norm.normalized_shape[0]
    norm = ModuleTarget(model.norm, diagonal=True)
    blocks = [described(i, block) for i, block in enumerate(model.blocks)]
    described_whole = anatomy(
        model=model,
        stages=[Stage(0, width, blocks, (4, 4) if layout == "grid" else None)],
        sites={
            "input": given(model.embed, *anatomy.given),
            "tokens.in": Site("tokens.in", "tokens.in", width, InputOf(model.blocks[0])),
            "norm.out": Site("norm.out", "norm.out", width, OutputOf(model.norm), writer=norm),
        },
        provides=frozenset({"sequence", layout, "class_token", "insertion", "extension"}),
        prefix=1,
        class_token=(model, "cls_token"),
        embedders={"tokens": model.embed},
    )
    return BuiltBackbone(
        module=model,
        anatomy=described_whole,
        modality=modality,
        input_spec=spec,
        source={},
        label=label,
    )


def given(embed: nn.Module, width: int, axis: int) -> Site:
    """The site of what a network is given."""
    why = "no weight writes what the network is given"
    return Site("input", "input", width, GivenTo(embed), unfoldable=why, axis=axis)


def described(index: int, block: Any) -> Block:
    """The sites of a `TinyBlock`."""
    width = block.norm1.normalized_shape[0]
    qkv, proj = ModuleTarget(block.attn.qkv), ModuleTarget(block.attn.proj)
    fc1, fc2 = ModuleTarget(block.mlp.fc1), ModuleTarget(block.mlp.fc2)
    norm1, norm2 = (ModuleTarget(n, diagonal=True) for n in (block.norm1, block.norm2))
    hidden = block.mlp.fc2.in_features
    table: dict[str, tuple[int, Any, Any, tuple[Any, ...]]] = {
        "block.in": (width, InputOf(block), None, ()),
        "attn.in": (width, InputOf(block.attn), norm1, (qkv,)),
        "qkv.out": (3 * width, OutputOf(block.attn.qkv), qkv, ()),
        "attn.out": (width, OutputOf(block.attn), proj, ()),
        "mlp.res": (width, ResidualInto(block.norm2, block.drop_path2), None, ()),
        "mlp.in": (width, InputOf(block.mlp), norm2, (fc1,)),
        "fc1.out": (hidden, OutputOf(block.mlp.fc1), fc1, ()),
        "fc2.in": (hidden, InputOf(block.mlp.fc2), None, (fc2,)),
        "mlp.out": (width, OutputOf(block.mlp), fc2, ()),
        "block.out": (width, OutputOf(block), None, ()),
    }
    parts = {"qkv.out": dict.fromkeys(FUSED, width)}
    sites = {
        name: Site(
            name, f"blocks.{index}.{name}", size, port, writer, readers, parts=parts.get(name, {})
        )
        for name, (size, port, writer, readers) in table.items()
    }
    return Block(index, width, sites, block, heads=block.attn.heads, mlp_norm=block.norm2)
