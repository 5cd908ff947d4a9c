"""The site `qkv.out` in timm's attention classes: one called map, a functional weight, or three
maps.

Some classes (`Beit`, `Eva` and Swin V2 with separate q and v biases) read `attn.qkv.weight` and
never call the module, so that a hook there, or a wrapper such as HF PEFT's LoRA, does nothing at
all.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from onlay.anatomy import FoldTarget, ModuleTarget, OutputOf, Override, Undo
from onlay.anatomy.parts import FUSED
from onlay.anatomy.ports import Pipe, Port
from onlay.anatomy.targets import CalledTarget, refuse_computed, wide
from onlay.errors import AnatomyError, CannotFold
from onlay_image.anatomy.apart import Apart, ApartTarget
from onlay_image.timm_types import TimmModule


@dataclass(frozen=True)
class Qkv:
    """Where the fused q, k, v of one attention module are reached, and what they can be folded
    into.
    """

    port: Port
    target: FoldTarget
    parts: dict[str, int]

    @property
    def width(self) -> int:
        return sum(self.parts.values())


def dissect_qkv(attn: TimmModule, *, keys_cancel: bool) -> Qkv:
    """`keys_cancel`: a constant added to every key cancels in the softmax (no rotation, no norm, no
    cosine).
    """
    if attn.qkv is None:
        apart = (attn.q_proj, attn.k_proj, attn.v_proj)
        widths = dict(zip(FUSED, (part.out_features for part in apart), strict=True))
        return Qkv(Apart(apart), ApartTarget(apart), widths)
    thirds = dict.fromkeys(FUSED, attn.qkv.out_features // 3)
    if getattr(attn, "q_bias", None) is None:
        return Qkv(OutputOf(attn.qkv), ModuleTarget(attn.qkv), thirds)
    if not hasattr(attn, "qkv_bias_separate"):
        name = type(attn).__name__
        raise AnatomyError(
            f"this version of timm cannot be made to call `qkv` of `{name}`; update timm"
        )
    return Qkv(FunctionalQkv(attn), SeparateBiasTarget(attn, keys_cancel=keys_cancel), thirds)


class FunctionalQkv:
    """q, k, v with their biases, where timm would read the weight: timm's own switch makes it call
    the module.

    With `qkv_bias_separate` timm adds the bias after the call, in place; so the pipe gets x W^T +
    bias, and timm what the pipe gives minus the bias.
    """

    def __init__(self, attn: TimmModule) -> None:
        self.attn = attn

    def install(self, pipe: Pipe) -> list[Undo]:
        switch = Override(self.attn, "qkv_bias_separate", True)
        return [switch, *OutputOf(self.attn.qkv).install(_Biased(self.attn, pipe).through)]


class _Biased:
    def __init__(self, attn: TimmModule, pipe: Pipe) -> None:
        self.attn, self.pipe = attn, pipe

    def through(self, product: Tensor) -> Tensor:
        bias = separate_bias(self.attn).to(product.dtype)
        qkv = product + bias
        piped = self.pipe(qkv)
        return product if piped is qkv else piped - bias


def separate_bias(attn: TimmModule) -> Tensor:
    """The biases of q, k (a constant zero) and v in one vector, as timm adds them."""
    return torch.cat((attn.q_bias, attn.k_bias, attn.v_bias))


class SeparateBiasTarget:
    """A fused weight whose bias is kept as `q_bias` and `v_bias`; timm stores none for the keys."""

    diagonal, pooled = False, False

    def __init__(self, attn: TimmModule, *, keys_cancel: bool) -> None:
        self.attn, self.keys_cancel = attn, keys_cancel
        self.module = attn.qkv

    def parts(self) -> list[CalledTarget]:
        return [self]

    def calling(self) -> list[tuple[object, str, object]]:
        return [(self.attn, "qkv_bias_separate", True)]

    def read(self) -> tuple[Tensor, Tensor]:
        refuse_computed(self.attn.qkv)
        return wide(self.attn.qkv.weight), wide(separate_bias(self.attn))

    def write(self, weight: Tensor, shift: Tensor) -> None:
        q, k, v = shift.chunk(3)
        if not self.keys_cancel and (k != self.attn.k_bias).any():
            raise CannotFold(
                "timm stores no bias for this block's keys, and the adapter gives them one"
            )
        self.attn.qkv.weight.data.copy_(weight)
        self.attn.q_bias.data.copy_(q)
        self.attn.v_bias.data.copy_(v)
