"""LoRA on q and v, IA3 and a scale of points: beside weights changed by hand, and folded."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from onlay.anatomy import Affine, Placement
from onlay.anatomy.attachments import Attachments
from onlay.anatomy.folding import fold
from onlay_pointcloud.anatomy import dissect
from onlay_pointcloud.network.point_mae import PointMae, ReCon


class LowRank(nn.Module):
    def __init__(self, width: int, seed: int) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        self.matrix = nn.Parameter(0.1 * torch.randn(width, width, generator=g))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.matrix.T

    def affine(self) -> Affine:
        return Affine(self.matrix)


class Scale(nn.Module):
    unfoldable = "it is tried without"

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.linspace(0.5, 1.5, width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class Ia3(Scale):
    def affine(self) -> Affine:
        return Affine(self.scale)


def attach(place: Placement) -> None:
    for block in place.blocks:
        for seed, name in enumerate(("q", "v")):
            part = block.site("qkv.out").part(name)
            place.branch(block.site("attn.in"), part, LowRank(part.width, seed))
        for name in ("qkv.out.k", "fc2.in"):
            place.rewrite(block.site(name), Ia3(block.site(name).width))


def changed(model: PointMae) -> PointMae:
    """A copy whose weights are what the adapter makes of them."""
    model = copy.deepcopy(model)
    for block in model.blocks.blocks:
        weight, bias, fc2 = block.attn.qkv.weight, block.attn.qkv.bias, block.mlp.fc2
        width = weight.shape[1]
        weight[:width] += LowRank(width, 0).matrix
        weight[2 * width :] += LowRank(width, 1).matrix
        weight[width : 2 * width] *= Scale(width).scale[:, None]
        if bias is not None:
            bias[width : 2 * width] *= Scale(width).scale
        fc2.weight *= Scale(fc2.in_features).scale
    return model


@pytest.mark.parametrize(
    ("kind", "given"),
    [(PointMae, {}), (PointMae, {"embed": 32}), (ReCon, {})],
    ids=["point_mae", "point_bert", "recon"],
)
@torch.no_grad()
def test_parts_act_and_fold_alone(
    kind: type[PointMae], given: dict[str, int], small: Any, clouds: Tensor
) -> None:
    model = small(kind, **given)
    by_hand = changed(model)
    place = Placement(dissect(model, npoints=64))
    attach(place)
    attachments = Attachments.of(model)
    attachments.activate(None)
    attachments.add("parts", place.adapter)
    torch.testing.assert_close(model(clouds), by_hand(clouds), atol=1e-5, rtol=1e-5)
    attachments.activate(None)
    assert fold(place.adapter) == []
    for own, hand in zip(model.blocks.blocks, by_hand.blocks.blocks, strict=True):
        torch.testing.assert_close(own.attn.qkv.weight, hand.attn.qkv.weight)
        torch.testing.assert_close(own.mlp.fc2.weight, hand.mlp.fc2.weight)
        assert (own.attn.qkv.bias is None) == (hand.attn.qkv.bias is None)


@torch.no_grad()
def test_points_are_stretched_before_they_are_grouped(small: Any, clouds: Tensor) -> None:
    model = small()
    expected = model(clouds * Scale(3).scale)
    place = Placement(dissect(model, npoints=64))
    place.rewrite(place.site("input"), Scale(3))
    Attachments.of(model).add("stretched", place.adapter)
    assert torch.equal(model(clouds), expected)
    stretched = model.group(clouds)[1]  # the site is what the groups are made of
    assert torch.equal(place.anatomy.layout(0).centres, stretched)
    Attachments.of(model).activate(None)
    assert not torch.equal(model.group(clouds)[1], stretched)
