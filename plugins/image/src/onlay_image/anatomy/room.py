"""Room for inserted tokens, and for keys that belong to none, where attention knows the position of
every token.

All kinds look at the tokens that really arrive, so that they do nothing while no token is
inserted.
Shapes: T tokens, N patch tokens.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from onlay.anatomy import Override, Undo
from onlay_image.timm_types import TimmModule

Call = tuple[tuple[Any, ...], dict[str, Any]]


class RopeRoom:
    """Rotary embedding of `Eva`: its rows are for what follows the prefix; prefix and inserted
    tokens stay unrotated.
    """

    def __init__(self, attn: TimmModule) -> None:
        self.attn = attn

    def install(self) -> list[Undo]:
        return [self.attn.register_forward_pre_hook(self.widen, with_kwargs=True)]

    def widen(self, attn: TimmModule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        rope = kwargs.get("rope")
        if rope is None:
            return None
        missing = args[0].shape[1] - attn.num_prefix_tokens - rope.shape[-2]
        if not missing:
            return None
        return args, kwargs | {"rope": torch.cat([_unrotated(rope, missing), rope], dim=-2)}


def _unrotated(rope: Tensor, count: int) -> Tensor:
    """Rows of timm's (..., N, sines | cosines) that rotate by nothing."""
    sines = rope.new_zeros(*rope.shape[:-2], count, rope.shape[-1] // 2)
    return torch.cat([sines, torch.ones_like(sines)], dim=-1)


class BiasRoom:
    """Relative position bias of `Beit`, the block's own and the shared one: zero for inserted
    tokens.
    """

    def __init__(self, attn: TimmModule) -> None:
        self.attn = attn
        self.own_bias = attn._get_rel_pos_bias
        self.tokens = 0

    def install(self) -> list[Undo]:
        undos: list[Undo] = [self.attn.register_forward_pre_hook(self.widen, with_kwargs=True)]
        if self.attn.relative_position_bias_table is not None:
            undos.append(Override(self.attn, "_get_rel_pos_bias", self.widened_own_bias))
        return undos

    def widen(self, attn: TimmModule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        self.tokens = args[0].shape[1]
        shared = kwargs.get("shared_rel_pos_bias")
        if shared is None:
            return None
        return args, kwargs | {"shared_rel_pos_bias": widened(shared, self.tokens)}

    def widened_own_bias(self) -> Tensor:
        return widened(self.own_bias(), self.tokens)


class MaskRoom:
    """A mask that the caller gives the network: inserted tokens attend and are attended to."""

    def __init__(self, attn: TimmModule, position: int) -> None:
        self.attn, self.position = attn, position

    def install(self) -> list[Undo]:
        return [self.attn.register_forward_pre_hook(self.widen, with_kwargs=True)]

    def widen(self, attn: TimmModule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        mask = kwargs.get("attn_mask")
        if mask is None:
            return None
        return args, kwargs | {"attn_mask": widened(mask, args[0].shape[1], self.position)}


def widened(bias_TT: Tensor, tokens: int, position: int = 1) -> Tensor:
    """Rows and columns that change nothing from `position` on (behind the class token), so that the
    last two axes have `tokens` entries; an axis that stands for all tokens stays.
    """
    for _ in range(2):
        size = bias_TT.shape[-1]
        if size not in (1, tokens):
            shape = (*bias_TT.shape[:-1], tokens - size)
            open_ = bias_TT.new_full(shape, bias_TT.dtype == torch.bool)
            head, tail = bias_TT[..., :position], bias_TT[..., position:]
            bias_TT = torch.cat([head, open_, tail], dim=-1)
        bias_TT = bias_TT.transpose(-2, -1)
    return bias_TT
