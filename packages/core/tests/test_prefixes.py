"""Keys and values without queries, by hand."""

from __future__ import annotations

import copy

import torch
from deep_prompts import Learned, prefixes
from torch import nn
from torch.nn import functional as F

from onlay.testing import tiny_backbone


class Attending(nn.Module):
    """Prefix tuning of a TinyBlock, written out: k and v grow, q does not."""

    def __init__(self, attn, rows):
        super().__init__()
        self.attn, self.rows = attn, rows

    def forward(self, x):
        q, k, v = self.attn.qkv(x).chunk(3, dim=-1)
        more_k, more_v = self.rows.expand(len(x), -1, -1).chunk(2, dim=-1)
        k, v = torch.cat([more_k, k], 1), torch.cat([more_v, v], 1)
        q, k, v = (z.unflatten(2, (2, -1)).transpose(1, 2) for z in (q, k, v))
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.attn.proj(mixed.transpose(1, 2).flatten(2))


def test_prefix_tuning_is_attention_written_by_hand(built, images, adapt_with):
    model = adapt_with(built, prefixes)
    found = model.backbone(images)
    with model.disabled() as bare:
        own = copy.deepcopy(bare)
    for i, block in enumerate(own.blocks):
        block.attn = Attending(block.attn, Learned(5, 32, i).rows)
    torch.testing.assert_close(found, own(images))
    assert model.adapter.tokens == 0
    assert sum(p.numel() for p in model.adapter.parameters()) == 2 * 5 * 2 * 16


def test_a_closed_gate_is_not_no_prefix(adapt_with):
    """197 keys with logits 0 and values 1, and 10 closed ones: each query gets 197/207."""
    built = tiny_backbone(depth=1)
    attn = built.module.blocks[0].attn
    with torch.no_grad():
        attn.qkv.weight.zero_()
        attn.qkv.bias.copy_(torch.cat([torch.zeros(32), torch.ones(16)]))
        attn.proj.weight.copy_(torch.eye(16))
        attn.proj.bias.zero_()
    closed = Learned(10, 32)
    with torch.no_grad():
        closed.rows.zero_()
    seen = []
    attn.register_forward_hook(lambda m, a, out: seen.append(out))
    model = adapt_with(built, lambda p: p.extend(p.blocks[0], closed, count=10))
    attn.register_forward_hook(lambda m, a, out: seen.append(out))
    with torch.no_grad():
        model.backbone(torch.randn(1, 3, 56, 56))  # 14 * 14 patches and a class token
    assert seen[-1].shape == (1, 197, 16)
    torch.testing.assert_close(seen[-1], torch.full((1, 197, 16), 197 / 207))


def test_keys_and_values_may_depend_on_the_input(built, images, adapt_with):
    """A gate on what attention reads, as in UniPELT: another prefix for each image."""

    class Gated(Learned):
        def forward(self, x):
            return x.mean((1, 2), keepdim=True).sigmoid() * self.rows

    gated = Gated(2, 32)

    def attach(place):
        block = place.blocks[1]
        place.extend(block, gated, source=block.site("attn.in"), count=2)

    read = {}
    hook = built.module.blocks[1].attn.register_forward_pre_hook
    handle = hook(lambda m, a: read.__setitem__("x", a[0]))
    with torch.no_grad():
        built.module(images)
    handle.remove()
    model = adapt_with(built, attach)
    found = model.backbone(images)
    with model.disabled() as bare:
        own = copy.deepcopy(bare)
    own.blocks[1].attn = Attending(own.blocks[1].attn, gated(read["x"]))
    torch.testing.assert_close(found, own(images))


def test_nothing_else_in_the_block_sees_the_prefix(built, images, adapt_with, pieces):
    """Modules at attention's sites get the tokens alone, and still fold."""
    shapes = {}

    class Watching(pieces["ScaleShift"]):
        def forward(self, x):
            shapes[self.name] = tuple(x.shape)
            return super().forward(x)

    def attach(place):
        prefixes(place)
        block = place.blocks[0]
        for name in ("attn.in", "qkv.out", "attn.out"):
            module = Watching(block.site(name).width)
            module.name = name
            place.rewrite(block.site(name), module)

    model = adapt_with(built, attach)
    expected = model.eval()(images)
    assert shapes == {"attn.in": (2, 7, 16), "qkv.out": (2, 7, 48), "attn.out": (2, 7, 16)}
    merged = model.merge(partial=True)
    torch.testing.assert_close(merged(images), expected)
    assert {str(r) for r in merged.merge_refusals} == {
        f"`blocks.{i}.{site}`: keys and values that no token makes are no weight"
        for i in range(2)
        for site in ("attn.in", "qkv.out")
    }
