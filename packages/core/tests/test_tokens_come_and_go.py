"""None"""

from __future__ import annotations

import copy

import pytest
import torch
from deep_prompts import Learned, prefixes

from onlay.anatomy.tokens import Stay, leaving
from onlay.errors import AnatomyError
from onlay.testing import tiny_backbone


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
