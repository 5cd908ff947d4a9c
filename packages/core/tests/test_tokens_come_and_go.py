"""Tokens that leave again, tokens made of the block's own output, keys and values without
queries."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from onlay.anatomy.tokens import Stay, leaving
from onlay.errors import AnatomyError
from onlay.testing import tiny_backbone


class Learned(nn.Module):
    def __init__(self, count: int, width: int = 16, seed: int = 0) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        self.rows = nn.Parameter(torch.randn(1, count, width, generator=g))

    def forward(self):
        return self.rows


def deep_prompts(place, count=3):
    entries = [place.site("tokens.in"), *place.blocks[:-1]]
    for entry, block in zip(entries, place.blocks, strict=True):
        place.insert(entry, Learned(count, block.width, block.index), count=count, until=block)


def by_hand(model, images, count=3):
    x = model.patches(images)
    x = torch.cat([model.cls_token.expand(len(x), -1, -1), x], dim=1)
    for index, block in enumerate(model.blocks):
        prompts = Learned(count, 16, index).rows.expand(len(x), -1, -1)
        x = block(torch.cat([x[:, :1], prompts, x[:, 1:]], dim=1))
        x = torch.cat([x[:, :1], x[:, 1 + count :]], dim=1)
    return model.norm(x)


def test_deep_prompts_are_the_loop_over_blocks_written_by_hand(images, adapt_with):
    built = tiny_backbone(depth=4)
    layouts = {}

    def attach(place):
        deep_prompts(place)
        layouts.update({block.index: place.layout(block) for block in place.blocks})

    model = adapt_with(built, attach)
    features = model.anatomy.encode(images, inserted=model.adapter.tokens)
    with model.disabled() as bare:
        expected = by_hand(bare, images)
    torch.testing.assert_close(features.cls, expected[:, 0])
    torch.testing.assert_close(features.patches, expected[:, 1:])
    assert features.prompts.shape == (2, 0, 16)
    assert features.layout.prefix == 1
    assert [layouts[i]().prefix for i in range(4)] == [4] * 4
    assert sum(p.numel() for p in model.adapter.parameters()) == 4 * 3 * 16
    assert model.backbone(images).shape == (2, 7, 16)


def test_tokens_with_different_ends_leave_from_their_own_places(images, adapt_with):
    """Newest first; what leaves takes its own rows, whatever came after it."""
    built = tiny_backbone(depth=4)
    counts = {}

    def attach(place):
        blocks = place.blocks
        place.insert(place.site("tokens.in"), Learned(2, seed=0), count=2, until=blocks[1])
        place.insert(blocks[0], Learned(3, seed=1), count=3)
        place.insert(blocks[0], Learned(1, seed=2), until=blocks[2])
        place.insert(blocks[1], Learned(1, seed=3))

    model = adapt_with(built, attach)
    for i, block in enumerate(built.module.blocks):
        block.register_forward_pre_hook(lambda m, a, i=i: counts.update({i: a[0].shape[1]}))
    features = model.anatomy.encode(images, inserted=model.adapter.tokens)
    assert counts == {0: 7 + 2, 1: 7 + 2 + 4, 2: 7 + 4 + 1, 3: 7 + 3 + 1}
    assert [model.adapter.tokens_before(i) for i in range(5)] == [2, 6, 5, 4, 4]
    with model.disabled() as bare:
        x = bare.patches(images)
        x = torch.cat([bare.cls_token.expand(len(x), -1, -1), x], dim=1)
        a, b, c, d = (Learned(n, seed=i).rows.expand(2, -1, -1) for i, n in enumerate((2, 3, 1, 1)))
        x = bare.blocks[0](torch.cat([x[:, :1], a, x[:, 1:]], 1))
        x = bare.blocks[1](torch.cat([x[:, :1], c, b, x[:, 1:]], 1))
        x = torch.cat([x[:, :1], d, x[:, 1:5], x[:, 7:]], 1)  # d | c b | patches
        x = bare.blocks[2](x)
        x = torch.cat([x[:, :2], x[:, 3:]], 1)
        expected = bare.norm(bare.blocks[3](x))
    torch.testing.assert_close(features.cls, expected[:, 0])
    torch.testing.assert_close(features.prompts, expected[:, 1:5])
    torch.testing.assert_close(features.patches, expected[:, 5:])


def test_which_rows_leave():
    stays = [Stay(0, 2, 1), Stay(1, 3), Stay(1, 1, 2), Stay(1, 4, 1)]
    # at the end of block 1, newest first: 4 rows, 1 row, 3 rows, 2 rows
    assert list(leaving(stays, 1)) == [slice(8, 10), slice(0, 4)]
    assert list(leaving(stays, 2)) == [slice(0, 1)]
    assert list(leaving(stays, 0)) == []


def test_a_token_made_of_the_blocks_own_output(built, images, adapt_with, pieces):
    """IDPT's prompt: of all that a block puts out, for the next one to read."""
    mean = pieces["Mean"](16)

    def attach(place):
        block = place.blocks[0]
        place.insert(block, mean, source=block.site("block.out"))

    model = adapt_with(built, attach)
    found = model.backbone(images)
    with model.disabled() as bare:
        x = bare.patches(images)
        x = bare.blocks[0](torch.cat([bare.cls_token.expand(len(x), -1, -1), x], dim=1))
        expected = bare.norm(bare.blocks[1](torch.cat([x[:, :1], mean(x), x[:, 1:]], dim=1)))
    torch.testing.assert_close(found, expected)


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


def prefixes(place):
    for block in place.blocks:
        place.extend(block, Learned(5, 32, block.index), count=5)


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


@pytest.mark.parametrize("attach", [deep_prompts, prefixes])
def test_every_way_of_running_agrees(built, images, adapt_with, attach):
    model = adapt_with(built, attach)
    batch = images, torch.tensor([0, 1])

    def gradients(model):
        model.zero_grad()
        model.loss(batch).backward()
        return {n: p.grad.clone() for n, p in model.trained_parameters().items()}

    output, expected = model(images), gradients(model)
    torch.compiler.reset()
    compiled = torch.compile(copy.deepcopy(model), backend="eager")
    torch.testing.assert_close(compiled(images), output)
    with torch.no_grad():
        program = torch.export.export(model.eval(), (images,), strict=False)
    torch.testing.assert_close(program.module()(images), output)
    model.set_grad_checkpointing()
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, expected[name], rtol=0, atol=1e-6)
        assert gradient.abs().max() > 0


def test_refused_calls_leave_nothing_behind(built, adapt_with, pieces):
    first, last = built.anatomy.blocks

    def attach(place):
        calls = [
            (lambda: place.insert(last, Learned(1), until=first), "cannot leave after block 0"),
            (lambda: place.insert(first, Learned(1), source=last.site("block.in")), "before"),
            (lambda: place.insert(first.site("mlp.in"), Learned(1)), "after a block or at"),
            (lambda: place.insert(first, Learned(1), count=0), "at least 1, not 0"),
            (lambda: place.insert(first, torch.zeros(1, 16)), "wants a `torch.nn.Module`"),
            (lambda: place.extend(first, Learned(1, 32), source=first.site("mlp.in")), "before"),
            (lambda: place.extend(first, Learned(1, 32), count=True), "not True"),
        ]
        for call, sentence in calls:
            with pytest.raises(AnatomyError, match=sentence):
                call()
        assert not list(place.adapter.parameters())
        assert not [*place.adapter.pipes, *place.adapter.stays, *place.adapter.taps]
        place.rewrite(first.site("block.in"), pieces["ScaleShift"](16))

    adapt_with(built, attach)


def test_another_number_of_rows_than_said_is_named(built, adapt_with):
    with pytest.raises(AnatomyError, match=r"`blocks.0.block.out` is \(1, 2, 16\) and should be"):
        adapt_with(built, lambda p: p.insert(p.blocks[0], Learned(2), count=3), name="a")
    with pytest.raises(AnatomyError, match=r"`blocks.0.qkv.out` is \(1, 2, 16\) .* 2, 32\)"):
        adapt_with(built, lambda p: p.extend(p.blocks[0], Learned(2), count=2), name="b")


def test_a_backbone_that_cannot_take_more_keys_says_why(built, adapt_with):
    built.anatomy.provides -= {"extension"}
    built.anatomy.unfit = {"extension": "windows hold a fixed number of tokens"}
    with pytest.raises(AnatomyError, match="windows hold a fixed number of tokens"):
        adapt_with(built, prefixes)
