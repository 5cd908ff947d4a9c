"""None"""

from __future__ import annotations

import pytest
import torch
from plain_blocks import plain

from onlay.anatomy import BLOCK_SITES
from onlay.errors import AnatomyError


@pytest.mark.parametrize("name", [s for s in BLOCK_SITES if s != "qkv.out"])
def test_rewrite_changes_exactly_its_site(built, images, adapt_with, pieces, name):
    width = built.anatomy.blocks[1].site(name).width
    module = pieces["ScaleShift"](width)
    expected = plain(built.module, images, lambda n, i, x: module(x) if (n, i) == (name, 1) else x)
    model = adapt_with(built, lambda p: p.rewrite(p.blocks[1].site(name), module))
    features = model.anatomy.encode(images)
    torch.testing.assert_close(features.cls, expected[:, 0])
    torch.testing.assert_close(features.patches, expected[:, 1:])


def test_rewrite_of_qkv_equals_changed_weights(built, images, adapt_with, pieces):
    module = pieces["ScaleShift"](48)
    qkv = built.module.blocks[0].attn.qkv
    before = qkv.weight.detach().clone(), qkv.bias.detach().clone()
    with torch.no_grad():
        qkv.weight.mul_(module.scale[:, None])
        qkv.bias.mul_(module.scale).add_(module.shift)
        expected = built.module(images)
        qkv.weight.copy_(before[0]), qkv.bias.copy_(before[1])
    model = adapt_with(built, lambda p: p.rewrite(p.blocks[0].site("qkv.out"), module))
    torch.testing.assert_close(model.backbone(images), expected)


def test_rewrites_of_one_site_act_in_the_order_of_placing(built, images, adapt_with, pieces):
    one, two = pieces["Matrix"](16, 1), pieces["ScaleShift"](16, 2)

    def attach(place):
        for module in (one, two):
            place.rewrite(place.blocks[0].site("attn.in"), module)

    expected = plain(
        built.module, images, lambda n, i, x: two(one(x)) if (n, i) == ("attn.in", 0) else x
    )
    model = adapt_with(built, attach)
    torch.testing.assert_close(model.backbone(images), expected)


def test_inserted_tokens_stand_after_the_class_token_newest_first(
    built, images, adapt_with, pieces
):
    side, first, second = pieces["Gated"](16), pieces["Mean"](16), pieces["Mean"](16)

    def attach(place):
        a, b = place.blocks
        branch = place.branch(a.site("mlp.in"), a.site("mlp.out"), side)
        place.insert(a, first, source=branch)
        place.insert(b, second, source=b.site("mlp.res"))
        attach.layouts = [place.layout(block) for block in place.blocks]

    model = adapt_with(built, attach)
    read = {}

    def at(name, index, x):
        if (name, index) == ("mlp.in", 0):
            read["a"] = side(x)
        if (name, index) == ("mlp.out", 0):
            x = x + read["a"]
        if (name, index) == ("mlp.res", 1):
            read["b"] = x
        if name == "block.out":
            token = first(read["a"]) if index == 0 else second(read["b"])
            x = torch.cat([x[:, :1], token, x[:, 1:]], dim=1)
        return x

    with model.disabled() as backbone:
        expected = plain(backbone, images, at)
    features = model.anatomy.encode(images, inserted=model.adapter.tokens)
    torch.testing.assert_close(features.cls, expected[:, 0])
    torch.testing.assert_close(features.prompts, expected[:, 1:3])
    torch.testing.assert_close(features.patches, expected[:, 3:])
    assert [layout().prefix for layout in attach.layouts] == [1, 2]
    assert (features.layout.height, features.layout.width, features.layout.prefix) == (2, 3, 3)


def test_learned_tokens_can_enter_before_the_first_block(built, images, adapt_with):
    class Learned(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = torch.nn.Parameter(torch.randn(2, 16))

        def forward(self):
            return self.tokens

    learned = Learned()
    model = adapt_with(built, lambda p: p.insert(p.site("tokens.in"), learned, count=2))

    def at(name, index, x):
        if (name, index) == ("block.in", 0):
            tokens = learned.tokens.expand(len(x), -1, -1)
            x = torch.cat([x[:, :1], tokens, x[:, 1:]], dim=1)
        return x

    with model.disabled() as backbone:
        expected = plain(backbone, images, at)
    torch.testing.assert_close(model.backbone(images), expected)


def test_thaw_trains_a_copy_and_leaves_the_original(built, images, adapt_with):
    norm = built.module.blocks[0].norm2
    original = norm.weight
    value = original.detach().clone()

    def attach(place):
        place.thaw(norm)
        place.thaw(place.anatomy.model.cls_token)

    model = adapt_with(built, attach)
    names = set(model.trained_parameters())
    assert {n for n in names if n.startswith("adapter.")} == {
        "adapter.thawed.blocks.0.norm2.weight",
        "adapter.thawed.blocks.0.norm2.bias",
        "adapter.thawed.cls_token",
    }
    bare = model.backbone(images)
    with torch.no_grad():
        model.adapter.thawed.blocks._modules["0"].norm2.weight.mul_(2)
    assert not torch.equal(model.backbone(images), bare)
    with model.disabled() as backbone:
        assert torch.equal(backbone(images), bare)
    model.detach()
    assert norm.weight is original
    assert torch.equal(original, value)


def test_unknown_site_says_what_there_is(built):
    with pytest.raises(AnatomyError, match=r"no site `ffn.out` \(have: `block.in`, `attn.in`"):
        built.anatomy.blocks[0].site("ffn.out")


def test_insertion_needs_a_backbone_that_can(built, pieces, adapt_with):
    built.anatomy.provides = built.anatomy.provides - {"insertion"}
    built.anatomy.unfit = {"insertion": "windows hold a fixed number of tokens"}
    with pytest.raises(AnatomyError, match="windows hold a fixed number of tokens"):
        adapt_with(built, lambda p: p.insert(p.blocks[0], pieces["Mean"](16)))


def test_a_branch_of_another_width_is_refused_in_words(built, adapt_with, pieces):
    def attach(place):
        block = place.blocks[1]
        place.branch(block.site("attn.in"), block.site("qkv.out.q"), pieces["LowRank"](16, 48))

    told = r"`blocks\.1\.qkv\.out\.q` gives \(1, 5, 48\) where \(1, 5, 16\) passes"
    with pytest.raises(AnatomyError, match=told):
        adapt_with(built, attach)
