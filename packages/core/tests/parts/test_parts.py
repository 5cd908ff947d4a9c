"""None"""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import pytest
import torch
from part_adapters import K, Q, Scale, V, rewritten
from torch import nn

import onlay
from onlay.host import PluginHost
from onlay.testing import tiny_backbone

EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "ia3.py"


def lora(pieces, *parts):
    def attach(place):
        for block in place.blocks:
            for seed, name in enumerate(parts):
                part = block.site("qkv.out").part(name)
                place.branch(block.site("attn.in"), part, pieces["LowRank"](16, 16, seed=seed))

    return attach


def ia3(place):
    for block in place.blocks:
        for name in ("qkv.out.k", "qkv.out.v", "fc2.in"):
            place.rewrite(block.site(name), Scale(block.site(name).width))


def both(pieces):
    def attach(place):
        ia3(place)
        lora(pieces, "q", "v")(place)

    return attach


def test_a_part_is_a_site_of_its_own(built):
    whole = built.anatomy.blocks[1].site("qkv.out")
    part = whole.part("v")
    assert (part.path, part.width, part.order) == ("blocks.1.qkv.out.v", 16, whole.order)
    assert built.anatomy.blocks[1].site("qkv.out.v") is part
    assert [place.path for place in whole.places()][-2:] == [part.path, whole.path]


def test_low_rank_on_q_and_v_leaves_k_as_it_was(either, images, adapt_with, pieces):
    by_hand = copy.deepcopy(either.module)
    with torch.no_grad():
        for block in by_hand.blocks:
            for seed, rows in enumerate((Q, V)):
                piece = pieces["LowRank"](16, 16, seed=seed)
                block.attn.qkv.weight[rows] += piece.up @ piece.down
    model = adapt_with(either, lora(pieces, "q", "v")).eval()
    torch.testing.assert_close(model.backbone(images), by_hand(images))
    ends = ("attn.in", "qkv.out.q", "qkv.out.v")
    assert model.adapter.sites == [f"blocks.{i}.{end}" for i in (0, 1) for end in ends]
    merged = model.merge()
    assert not dict(merged.adapter.named_parameters())
    torch.testing.assert_close(merged(images), model(images), atol=1e-5, rtol=1e-5)
    for own, former in zip(merged.backbone.blocks, either.module.blocks, strict=True):
        assert torch.equal(own.attn.qkv.weight[K], former.attn.qkv.weight[K])
        assert not torch.equal(own.attn.qkv.weight[V], former.attn.qkv.weight[V])
        assert (own.attn.qkv.bias is None) == (former.attn.qkv.bias is None)


def test_ia3_is_three_rewrites(either, images, adapt_with):
    """Scales of k, of v, and of what fc2 reads: the columns of its weight."""
    by_hand = copy.deepcopy(either.module)
    for block in by_hand.blocks:
        rewritten(block, K, V)
        with torch.no_grad():
            block.mlp.fc2.weight *= Scale(32).scale
    model = adapt_with(either, ia3).eval()
    torch.testing.assert_close(model.backbone(images), by_hand(images))
    merged = model.merge()
    torch.testing.assert_close(merged(images), model(images), atol=1e-5, rtol=1e-5)
    for own, hand in zip(merged.backbone.blocks, by_hand.blocks, strict=True):
        torch.testing.assert_close(own.mlp.fc2.weight, hand.mlp.fc2.weight)
        torch.testing.assert_close(own.attn.qkv.weight, hand.attn.qkv.weight)


@pytest.fixture
def tutorials(built, monkeypatch):
    """The method of the tutorial that acts at parts, on the tiny backbone."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    host = PluginHost.discover(files=[EXAMPLE])
    yield onlay.adapt(built, "my_ia3", num_classes=3, host=host)
    sys.modules.pop("ia3", None)


def test_ia3_of_the_tutorial_trains_scales_alone_and_merges(tutorials, images):
    model = tutorials.eval()
    assert model.trainable_report().method == 2 * (16 + 16 + 32)
    bare = model(images)
    with model.disabled():
        assert torch.equal(model.head(model.anatomy.encode(images)), bare)
    with torch.no_grad():
        for scale in model.adapter.parameters():
            scale.mul_(torch.linspace(0.5, 1.5, len(scale)))
    torch.testing.assert_close(model.merge()(images), model(images), atol=1e-5, rtol=1e-5)


def test_a_shift_of_values_makes_a_bias_of_which_the_rest_is_zero(images, adapt_with, pieces):
    built, piece = tiny_backbone(qkv_bias=False), pieces["ScaleShift"](16)
    model = adapt_with(built, lambda p: p.rewrite(p.blocks[0].site("qkv.out.v"), piece)).eval()
    merged = model.merge()
    torch.testing.assert_close(merged(images), model(images), atol=1e-5, rtol=1e-5)
    bias = merged.backbone.blocks[0].attn.qkv.bias
    assert torch.equal(bias, torch.cat([torch.zeros(32), piece.shift]))


class Keeps(nn.Module):
    """Hands on what it reads as it is, or adds a parameter to it, and keeps it."""

    def __init__(self, width):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        self.read = x.detach()
        return x + self.shift


def test_parts_act_before_their_whole_and_all_is_read_afterwards(built, images, adapt_with, pieces):
    """(2 q_0 + L z) * s: the whole's scale s multiplies what the part's branch has added."""
    up, whole, side = pieces["LowRank"](16, 16), pieces["ScaleShift"](48), Keeps(16)
    seen = {}
    attn = built.module.blocks[0].attn
    attn.register_forward_pre_hook(lambda m, args: seen.__setitem__("z", args[0]))
    bare = {}
    with torch.no_grad():
        handle = attn.qkv.register_forward_hook(lambda m, a, out: bare.__setitem__("qkv", out))
        built.module(images)
        handle.remove()

    def attach(place):
        block = place.blocks[0]
        place.rewrite(block.site("qkv.out"), whole)
        place.branch(block.site("attn.in"), block.site("qkv.out.q"), up)
        place.rewrite(block.site("qkv.out.q"), Scale(16))
        place.branch(block.site("qkv.out.q"), block.site("mlp.in"), side)

    model = adapt_with(built, attach).eval()
    model.backbone(images)
    q = bare["qkv"][..., Q] * Scale(16).scale + up(seen["z"])
    torch.testing.assert_close(side.read, q * whole.scale[Q] + whole.shift[Q])


def test_what_stays_at_a_part_keeps_its_whole_from_folding(built, images, adapt_with, pieces):
    def attach(place):
        block = place.blocks[0]
        place.branch(block.site("attn.in"), block.site("qkv.out.q"), pieces["Gated"](16))
        place.rewrite(block.site("qkv.out"), pieces["ScaleShift"](48))

    model = adapt_with(built, attach).eval()
    partly = model.merge(partial=True)
    torch.testing.assert_close(partly(images), model(images))
    assert {str(r) for r in partly.merge_refusals} == {
        "`blocks.0.qkv.out.q`: `Gated` is not affine",
        "`blocks.0.qkv.out`: what stays at `blocks.0.qkv.out.q` comes before it",
    }


def test_low_rank_along_fc2_folds(built, images, adapt_with, pieces):
    def attach(place):
        block = place.blocks[1]
        piece = pieces["LowRank"](block.site("fc2.in").width, 16)
        place.branch(block.site("fc2.in"), block.site("mlp.out"), piece)

    model = adapt_with(built, attach).eval()
    merged = model.merge()
    torch.testing.assert_close(merged(images), model(images), atol=1e-5, rtol=1e-5)
    assert not torch.equal(merged(images), adapt_with(tiny_backbone(), lambda p: None)(images))


class Rows(nn.Module):
    def __init__(self):
        super().__init__()
        g = torch.Generator().manual_seed(3)
        self.rows = nn.Parameter(torch.randn(1, 2, 32, generator=g))

    def forward(self):
        return self.rows


def test_a_part_does_not_see_keys_and_values_of_no_token(built, images, adapt_with, pieces):
    """What `extend` adds is not scaled by what is placed on k."""
    kept = Keeps(16)
    prefix = Rows()

    def attach(place):
        block = place.blocks[1]
        place.extend(block, prefix, count=2)
        place.rewrite(block.site("qkv.out.k"), Scale(16))
        place.rewrite(block.site("qkv.out.k"), kept)

    by_hand = tiny_backbone()
    rewritten(by_hand.module.blocks[1], K)
    expected = adapt_with(by_hand, lambda p: p.extend(p.blocks[1], prefix, count=2))
    model = adapt_with(built, attach)
    torch.testing.assert_close(model.backbone(images), expected.backbone(images))
    assert kept.read.shape == (2, 7, 16)


def gradients(model, images):
    model.zero_grad()
    model.loss((images, torch.tensor([0, 1]))).backward()
    return {n: p.grad.clone() for n, p in model.trained_parameters().items()}


def test_recomputed_compiled_and_exported_it_gives_the_same(built, images, adapt_with, pieces):
    model = adapt_with(built, both(pieces)).eval()
    expected, grads = model(images), gradients(model, images)
    torch.compiler.reset()
    compiled = torch.compile(copy.deepcopy(model), backend="eager")
    torch.testing.assert_close(compiled(images), expected)
    with torch.no_grad():
        program = torch.export.export(model, (images,), strict=False)
    torch.testing.assert_close(program.module()(images), expected)
    model.set_grad_checkpointing()
    for found in (gradients(compiled, images), gradients(model, images)):
        for name, gradient in found.items():
            torch.testing.assert_close(gradient, grads[name], rtol=0, atol=1e-6)


def test_adapters_of_one_backbone_act_on_parts_of_their_own(built, images, adapt_with, pieces):
    one = adapt_with(built, lora(pieces, "q"), name="one").eval()
    two = adapt_with(built, lora(pieces, "v"), name="two").eval()
    alone = [adapt_with(tiny_backbone(), lora(pieces, part)).eval()(images) for part in "qv"]
    for model, expected in ((one, alone[0]), (two, alone[1]), (one, alone[0])):
        torch.testing.assert_close(model(images), expected)


def test_beside_a_backbone_in_bfloat16_a_part_is_rounded_once(images, adapt_with, pieces):
    built = tiny_backbone()
    built.module.bfloat16()
    kept = Keeps(16)
    model = adapt_with(built, lambda p: p.rewrite(p.blocks[0].site("qkv.out.q"), kept)).eval()
    with model.disabled():
        bare = model.backbone(images.bfloat16())
    assert torch.equal(model.backbone(images.bfloat16()), bare)
    assert kept.read.dtype == torch.float32
