"""The tiny backbone and its anatomy, each with one thing wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import Undo
from onlay.features import Features, Grid, Layout
from onlay.testing import TinyAnatomy, TinyBackbone


class SquareLayout(TinyAnatomy):
    def layout(self, block: int, *, inserted: int = 0) -> Layout:
        side = int((self._grid[0] * self._grid[1]) ** 0.5)
        return Grid(side, side, prefix=1 + inserted)


class NoPrefix(TinyAnatomy):
    def layout(self, block: int, *, inserted: int = 0) -> Layout:
        return Grid(*self._grid, prefix=inserted)


class DeafLayout(TinyAnatomy):
    def layout(self, block: int, *, inserted: int = 0) -> Layout:
        return Grid(*self._grid, prefix=1)


class BlindFollow(TinyAnatomy):
    def follow(self) -> list[Undo]:
        return []


class FixedRoom(TinyAnatomy):
    """Makes room for tokens whether they arrive or not."""

    def make_room(self, block: int, count: int) -> list[Undo]:
        later = self.blocks[max(block, 1) :]
        return [b.module.register_forward_pre_hook(lambda m, a: (1.1 * a[0],)) for b in later]


class OtherTrunk(TinyAnatomy):
    def trunk(self) -> dict[str, Tensor]:
        return {f"backbone.{name}": tensor for name, tensor in super().trunk().items()}


class ChanceExample(TinyAnatomy):
    def example(self, batch: int = 1) -> Tensor:
        return torch.randn(batch, 3, 8, 8)


class Unprepared(TinyAnatomy):
    """Hands images on as they come, in whatever dtype."""

    def prepared(self, inputs: Tensor) -> Tensor:
        return inputs


class Encoding(TinyAnatomy):
    """Changes what `encode` gives."""

    def given(self, features: Features) -> Features:
        return features

    def encode(self, inputs: Tensor, *, inserted: int = 0, levels: Sequence[int] = ()) -> Features:
        return self.given(super().encode(inputs, inserted=inserted, levels=levels))


class EarlyLevels(Encoding):
    def encode(self, inputs: Tensor, *, inserted: int = 0, levels: Sequence[int] = ()) -> Features:
        return super().encode(inputs, inserted=inserted, levels=[max(i - 1, 0) for i in levels])


class DoubledInputs(Encoding):
    def encode(self, inputs: Tensor, *, inserted: int = 0, levels: Sequence[int] = ()) -> Features:
        return super().encode(2 * inputs, inserted=inserted, levels=levels)


class OldestFirst(Encoding):
    def given(self, features: Features) -> Features:
        return replace(features, prompts=features.prompts.flip(1))


class NoClassToken(Encoding):
    def given(self, features: Features) -> Features:
        return replace(features, cls=None)


class MeanAsClass(Encoding):
    def given(self, features: Features) -> Features:
        return replace(features, cls=features.patches.mean(1))


class BatchCentred(Encoding):
    def given(self, features: Features) -> Features:
        patches = features.patches - features.patches.mean(0)
        return replace(features, patches=patches, pooled=patches.mean(1))


class Homebound(Encoding):
    def given(self, features: Features) -> Features:
        return replace(features, patches=features.patches * torch.ones(features.patches.shape[-1]))


class ThawedEncoding(Encoding):
    def given(self, features: Features) -> Features:
        self.model.get_submodule("norm").requires_grad_(True)
        return features


class Ranked(nn.Module):
    """Attention that looks less at what stands further back."""

    def forward(self, x_BTD: Tensor) -> Tensor:
        own: Any = self
        q, k, v = (z.unflatten(2, (own.heads, -1)) for z in own.qkv(x_BTD).chunk(3, dim=-1))
        q, k, v = (z.transpose(1, 2) for z in (q, k, v))
        away = -torch.arange(x_BTD.shape[1]).to(x_BTD)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=away.expand(len(away), -1))
        return own.proj(mixed.transpose(1, 2).flatten(2))


class Counting(TinyBackbone):
    def forward(self, inputs: Tensor) -> Tensor:
        self.seen += 1
        return super().forward(inputs)


class Hasty(TinyBackbone):
    def forward(self, inputs: Tensor) -> Tensor:
        x = super().forward(inputs)
        return x.detach() + 2 * (x - x.detach()) if self.grad_checkpointing else x


class Reread(TinyAnatomy):
    """It reads memory in its order, whatever the strides say."""

    def encode(self, inputs: Tensor, **given: Any) -> Features:
        own = inputs.as_strided(inputs.shape, torch.empty(inputs.shape).stride())
        return super().encode(own, **given)


class NoisyWithGradients(Encoding):
    """It takes gradients for training."""

    def given(self, features: Features) -> Features:
        noisy = F.dropout(features.patches, 0.5, torch.is_grad_enabled())
        return replace(features, patches=noisy)
