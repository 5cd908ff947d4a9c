"""The four verbs, on a backbone whose forward is written out here once more."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from onlay.anatomy import BLOCK_SITES, InputOf, Site
from onlay.anatomy.pipe import SitePipe
from onlay.anatomy.wires import Branch, Tap
from onlay.errors import AnatomyError


def attention(block, z):
    B, T, D = z.shape
    q, k, v = block.attn.qkv(z).chunk(3, dim=-1)
    heads = [x.view(B, T, 2, D // 2).transpose(1, 2) for x in (q, k, v)]
    mixed = (heads[0] @ heads[1].transpose(-1, -2) / (D // 2) ** 0.5).softmax(-1) @ heads[2]
    return block.attn.proj(mixed.transpose(1, 2).reshape(B, T, D))


def embed(model, images):
    x = model.embed(images).flatten(2).transpose(1, 2)
    return torch.cat([model.cls_token.expand(len(x), -1, -1), x], dim=1)


def plain(model, images, at=lambda name, index, x: x):
    """The tiny backbone by hand; `at(site, block, x)` may change the tensor at a site."""
    x = embed(model, images)
    for i, block in enumerate(model.blocks):
        x = at("block.in", i, x)
        z = at("attn.in", i, block.norm1(x))
        x = at("mlp.res", i, x + at("attn.out", i, attention(block, z)))
        hidden = at("fc1.out", i, block.mlp.fc1(at("mlp.in", i, block.norm2(x))))
        hidden = at("fc2.in", i, F.gelu(hidden))
        x = at("block.out", i, x + at("mlp.out", i, block.mlp.fc2(hidden)))
    return model.norm(x)


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


def test_branch_adds_after_the_rewrites_of_both_sites(built, images, adapt_with, pieces):
    """DAPT's order: the adapter reads the rewritten `mlp.in`; its sum comes after `mlp.out`'s
    rewrite."""
    first, second, side = (
        pieces["ScaleShift"](16, 1),
        pieces["ScaleShift"](16, 2),
        pieces["Gated"](16),
    )

    def attach(place):
        block = place.blocks[0]
        place.branch(block.site("mlp.in"), block.site("mlp.out"), side)
        place.rewrite(block.site("mlp.in"), first)
        place.rewrite(block.site("mlp.out"), second)

    read = {}

    def at(name, index, x):
        if (name, index) == ("mlp.in", 0):
            read["z"] = x = first(x)
        if (name, index) == ("mlp.out", 0):
            x = second(x) + side(read["z"])
        return x

    expected = plain(built.module, images, at)
    model = adapt_with(built, attach)
    torch.testing.assert_close(model.backbone(images), expected)


def test_a_branch_from_a_site_to_itself_is_an_adapter_in_sequence(
    built, images, adapt_with, pieces
):
    """Behind the MLP: f becomes f + side(f), after rewrites; tokens can be made of side(f)."""
    side, first, mean = pieces["Gated"](16), pieces["ScaleShift"](16), pieces["Mean"](16)
    made = {}

    def attach(place):
        site = place.blocks[1].site("mlp.out")
        branch = place.branch(site, site, side)
        place.rewrite(site, first)
        place.insert(place.blocks[1], mean, source=branch)

    def at(name, index, x):
        if (name, index) == ("mlp.out", 1):
            made["side"] = side(first(x))
            return first(x) + made["side"]
        return x

    expected = plain(built.module, images, at)
    features = adapt_with(built, attach).anatomy.encode(images, inserted=1)
    torch.testing.assert_close(features.patches, expected[:, 1:])
    token = F.layer_norm(mean(made["side"]), (16,))  # norm.out of a fresh norm
    torch.testing.assert_close(features.prompts, token)


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


@pytest.mark.parametrize(
    ("made", "given"), [((2, 3, 4, 5), (2, 12, 5)), ((2, 12, 5), (2, 3, 4, 5))]
)
def test_a_branch_may_lead_from_a_map_to_its_rows_or_back(made, given):
    """(B, H, W, D) and (B, H W, D) are the same tokens, row by row."""

    def site(name):
        return Site(name, f"blocks.0.{name}", 5, InputOf(nn.Identity()))

    x, added = torch.randn(given), torch.randn(made)
    source, target = site("mlp.res"), site("block.out")
    tap = Tap(source, target)
    pipe = SitePipe(target)
    pipe.incoming.append(Branch([tap], target, nn.Identity(), source))
    tap.hold(added)
    found = pipe(x)
    assert found.shape == given
    assert torch.equal(found.view(2, 12, 5), x.view(2, 12, 5) + added.view(2, 12, 5))


def test_a_branch_may_give_one_token_for_all(built, images, adapt_with, pieces):
    mean = pieces["Mean"](16)

    def attach(place):
        block = place.blocks[1]
        place.branch(block.site("mlp.in"), block.site("mlp.out"), mean)

    read = {}

    def at(name, index, x):
        if (name, index) == ("mlp.in", 1):
            read["z"] = x
        return x + mean(read["z"]) if (name, index) == ("mlp.out", 1) else x

    expected = plain(built.module, images, at)
    torch.testing.assert_close(adapt_with(built, attach).backbone(images), expected)


@pytest.mark.parametrize(("source", "target"), [("mlp.out", "mlp.in"), ("block.out", "block.in")])
def test_branch_backwards_is_refused(built, pieces, adapt_with, source, target):
    block = built.anatomy.blocks[0]
    with pytest.raises(AnatomyError, match="does not come before"):
        adapt_with(
            built, lambda p: p.branch(block.site(source), block.site(target), pieces["Gated"](16))
        )


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
