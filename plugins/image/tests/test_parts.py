"""LoRA on q and v, IA3 and a scale of pixels, on every kind of block: by hand, and folded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from onlay.anatomy import Affine, Placement
from onlay.anatomy.attachments import Attachments
from onlay.anatomy.folding import fold
from onlay_image.anatomy import dissect

Make = Callable[..., nn.Module]
COLOURS = torch.tensor([0.5, 1.0, 2.0])


class LowRank(nn.Module):
    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(out)
        self.down = nn.Parameter(0.2 * torch.randn(2, width, generator=g))
        self.up = nn.Parameter(0.2 * torch.randn(out, 2, generator=g))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.down.T @ self.up.T

    def affine(self) -> Affine:
        return Affine(self.up @ self.down)


class Scale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.linspace(0.5, 1.5, width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale

    def affine(self) -> Affine:
        return Affine(self.scale)


def attach(place: Placement) -> None:
    for block in place.blocks:
        for name in ("q", "v"):
            part = block.site("qkv.out").part(name)
            place.branch(block.site("attn.in"), part, LowRank(block.width, part.width))
        for name in ("qkv.out.k", "fc2.in"):
            place.rewrite(block.site(name), Scale(block.site(name).width))


class ByHand:
    """The same in forward passes that are written out, where q, k, v lie side by side."""

    def __init__(self) -> None:
        self.read = torch.empty(0)

    def edit(self, path: str, x: Tensor) -> Tensor:
        if path.endswith("attn.in"):
            self.read = x
        if path.endswith("qkv.out"):
            q, k, v = x.chunk(3, dim=-1)
            low = LowRank(self.read.shape[-1], q.shape[-1])(self.read)
            return torch.cat([q + low, k * Scale(k.shape[-1]).scale, v + low], dim=-1)
        return x * Scale(x.shape[-1]).scale if path.endswith("fc2.in") else x


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=3e-4, rtol=3e-4)


@torch.no_grad()
def test_parts_of_every_block_act_and_fold_alone(
    model: nn.Module, images: Tensor, reference: Callable[..., Any]
) -> None:
    expected = reference(model, ByHand().edit).run(images)
    place = Placement(dissect(model))
    attach(place)
    attachments = Attachments.of(model)
    attachments.activate(None)
    attachments.add("parts", place.adapter)
    close(model.forward_features(images), expected)
    attachments.activate(None)
    keys = [_keys(block) for block in place.blocks]
    refusals = fold(place.adapter)
    if refusals:  # windows that are padded: the map also computes what no adapter sees
        assert all(block.site("attn.in").unfoldable for block in place.blocks)
        assert {refusal.path[9:] for refusal in refusals} == {f"qkv.out.{p}" for p in "qkv"}
        return
    close(model.forward_features(images), expected)
    for block, before in zip(place.blocks, keys, strict=True):
        torch.testing.assert_close(_keys(block), before * Scale(len(before)).scale[:, None])


def _keys(block: Any) -> Tensor:
    """The rows of the frozen weight that make the keys."""
    attn = block.module.attn
    if attn.qkv is None:
        return attn.k_proj.weight.clone()
    return attn.qkv.weight.chunk(3)[1].clone()


@pytest.mark.parametrize("name", ["vit_biasless_qkv", "beit", "eva02_split", "swinv2"])
@torch.no_grad()
def test_rows_of_each_kind_of_layer_can_be_replaced(name: str, make: Make) -> None:
    """The values doubled, in the place of the rows that make them."""

    class Twice(nn.Module):
        def __init__(self, map: Any) -> None:
            super().__init__()
            vars(self)["frozen"] = map.twin()

        def forward(self, x: Tensor) -> Tensor:
            return 2 * self.frozen(x)

        def affine(self) -> Affine:
            bias = self.frozen.bias
            return Affine(2 * self.frozen.weight, None if bias is None else 2 * bias)

    model, by_hand = make(name), make(name)
    images = torch.randn(1, 3, *model.patch_embed.img_size)
    for block in dissect(by_hand).blocks:
        writer = block.site("qkv.out.v").writer or block.site("qkv.out.v").map
        weight, shift = writer.read()
        module = next(iter(writer.parts())).module
        own = 1 if module.bias is None else 2  # timm adds a bias of its own to what is replaced
        writer.write(2 * weight, own * shift)
    place = Placement(dissect(model))
    for block in place.blocks:
        (rows,) = place.maps(block.site("qkv.out.v"))
        place.replace(rows, Twice(rows))
    attachments = Attachments.of(model)
    attachments.activate(None)
    attachments.add("values", place.adapter)
    close(model(images), by_hand(images))
    attachments.activate(None)
    assert fold(place.adapter) == []
    close(model(images), by_hand(images))


@pytest.mark.parametrize("name", ["vit", "swin"])
@torch.no_grad()
def test_pixels_are_scaled_before_they_are_embedded(name: str, make: Make) -> None:
    model = make(name)
    images = torch.randn(2, 3, *model.patch_embed.img_size)
    place = Placement(dissect(model))
    site, scale = place.site("input"), Scale(3)
    scale.scale.copy_(COLOURS)
    scale.scale.data = site.spread(scale.scale)
    place.rewrite(site, scale)
    expected = model(images * COLOURS[:, None, None])
    Attachments.of(model).add("pixels", place.adapter)
    close(model(images), expected)
