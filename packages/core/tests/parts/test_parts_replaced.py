"""Rows of a layer, a whole layer or an input replaced; what is not there."""

from __future__ import annotations

import copy

import pytest
import torch
from part_adapters import K, Q, Scale, V, rewritten
from torch import nn

from onlay.anatomy import Affine, Placement
from onlay.errors import AnatomyError, CannotFold
from onlay.testing import tiny_backbone, tiny_points


class Weighted(nn.Module):
    """In the place of rows of a layer: their weight, scaled anew at each call."""

    def __init__(self, map):
        super().__init__()
        vars(self)["frozen"] = map.twin()
        self.scale = nn.Parameter(torch.linspace(0.5, 1.5, map.module.out_features))

    def forward(self, x):
        return self.scale * self.frozen(x)

    def affine(self):
        bias = self.frozen.bias
        return Affine(
            self.scale[:, None] * self.frozen.weight, None if bias is None else self.scale * bias
        )


def in_place(*parts):
    def attach(place):
        for block in place.blocks:
            for part in parts:
                (map,) = place.maps(block.site("qkv.out").part(part))
                place.replace(map, Weighted(map))

    return attach


def test_rows_of_a_layer_can_be_replaced(either, images, adapt_with):
    by_hand = copy.deepcopy(either.module)
    for block in by_hand.blocks:
        rewritten(block, Q, V)
    model = adapt_with(either, in_place("q", "v")).eval()
    torch.testing.assert_close(model.backbone(images), by_hand(images))
    names = [n for n in model.trained_state() if n.startswith("adapter.")]
    assert names[:2] == [f"adapter.replaced.blocks.0.attn.qkv.{part}.scale" for part in "qv"]
    twin = copy.deepcopy(model)
    with torch.no_grad():
        twin.backbone.blocks[0].attn.qkv.weight.zero_()
    torch.testing.assert_close(model.backbone(images), by_hand(images))
    merged = model.merge()
    torch.testing.assert_close(merged(images), model(images), atol=1e-5, rtol=1e-5)
    rows = merged.backbone.blocks[0].attn.qkv.weight
    assert torch.equal(rows[K], either.module.blocks[0].attn.qkv.weight[K])
    assert model.detach() is either.module


def test_what_stands_in_for_rows_gives_as_many(built, adapt_with):
    class Wide(Weighted):
        def forward(self, x):
            return torch.cat([super().forward(x)] * 3, dim=-1)

    def attach(place):
        (map,) = place.maps(place.blocks[0].site("qkv.out.q"))
        place.replace(map, Wide(map))

    told = r"`blocks\.0\.attn\.qkv\.q` gives \(1, 5, 48\) and should give \(1, 5, 16\)"
    with pytest.raises(AnatomyError, match=told):
        adapt_with(built, attach)


@torch.no_grad()
def test_rows_are_replaced_in_the_dtype_of_the_others(images, adapt_with):
    built = tiny_backbone()
    expected = adapt_with(tiny_backbone(), in_place("v")).eval().backbone(images)
    built.module.bfloat16()
    model = adapt_with(built, in_place("v"), name="half").eval()
    found = model.backbone(images.bfloat16())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, atol=0.1, rtol=0.1)


def test_a_layer_is_replaced_as_a_whole_or_in_parts(built, adapt_with):
    def attach(place):
        in_place("k")(place)
        (whole,) = place.maps(place.blocks[0].site("qkv.out"))
        place.replace(whole, Weighted(whole))

    with pytest.raises(AnatomyError, match=r"`blocks\.0\.attn\.qkv\.k` is replaced already"):
        adapt_with(built, attach)


def test_an_input_is_moved_and_nothing_there_folds(built, images, adapt_with):
    """A shift of the red channel by one."""

    class Shift(nn.Module):
        def __init__(self, site):
            super().__init__()
            self.by = nn.Parameter(site.spread(torch.tensor([1.0, 0.0, 0.0])))

        def forward(self, x):
            return x + self.by

    moved = images.clone()
    moved[:, 0] += 1
    expected = built.module(moved)
    model = adapt_with(built, lambda p: p.rewrite(p.site("input"), Shift(p.site("input"))))
    torch.testing.assert_close(model.backbone(images), expected)
    with pytest.raises(CannotFold, match="`Shift` is not affine"):
        model.merge()


def test_points_are_moved_before_they_are_grouped(adapt_with):
    built = tiny_points()
    clouds = built.anatomy.example(2)
    expected = built.module(clouds * Scale(3).scale)
    model = adapt_with(built, lambda p: p.rewrite(p.site("input"), Scale(3)))
    torch.testing.assert_close(model.backbone(clouds), expected)
    with pytest.raises(CannotFold, match="no weight writes what the network is given"):
        model.merge()


@pytest.mark.parametrize("where", ["input", "qkv.out.k"])
def test_another_shape_is_refused(built, images, adapt_with, where):
    class Twice(nn.Module):
        def forward(self, x):
            return torch.cat([x, x], dim=-1)

    def attach(place):
        site = place.site(where) if where == "input" else place.blocks[0].site(where)
        place.rewrite(site, Twice())

    with pytest.raises(AnatomyError, match=rf"`(blocks\.0\.)?{where}` must keep its shape: it was"):
        adapt_with(built, attach)


def test_what_is_not_there_is_refused_in_words(built):
    place = Placement(built.anatomy)
    whole = place.blocks[0].site("qkv.out")
    with pytest.raises(AnatomyError, match=r"has no part `w` \(have: `q`, `k`, `v`\)"):
        whole.part("w")
    with pytest.raises(AnatomyError, match=r"`blocks\.0\.mlp\.out` has no part `q` \(have: none\)"):
        place.blocks[0].site("mlp.out.q")
    with pytest.raises(AnatomyError, match=r"no site `fc3\.in` \(have: .*`fc2\.in`"):
        place.blocks[0].site("fc3.in")
    with pytest.raises(AnatomyError, match=r"`blocks\.0\.qkv\.out\.q` does not come before"):
        place.branch(whole.part("q"), whole.part("k"), nn.Identity())
    del built.anatomy.sites["input"]
    with pytest.raises(AnatomyError, match="this backbone has no site `input`"):
        place.site("input")
    assert not place.adapter.pipes
