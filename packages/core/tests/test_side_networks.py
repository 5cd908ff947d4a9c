"""Side networks: gradients that they spare, what is refused of them, folding."""

from __future__ import annotations

import pytest
import torch
from rungs import Rung, ladder
from torch import nn

from onlay.errors import AnatomyError
from onlay.testing import tiny_backbone


def saved_bytes(model, images):
    """What autograd keeps of a loss for the backward pass, each storage once, beside weights."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        loss = model.loss((images, torch.tensor([0, 1])))
    return sum(kept.values()), loss


def test_a_side_network_needs_no_gradient_in_the_backbone(images, adapt_with):
    built = tiny_backbone(depth=6)
    seen = []
    for block in built.module.blocks:
        block.mlp.register_forward_hook(lambda m, a, out: seen.append(out.requires_grad))
    beside = adapt_with(built, ladder, name="beside")
    seen.clear()
    little, _ = saved_bytes(beside, images)
    assert seen == [False] * 6
    beside.detach()
    inside = adapt_with(built, inside_blocks, name="inside")
    seen.clear()
    much, _ = saved_bytes(inside, images)
    assert seen == [False] + [True] * 5
    assert little < much / 3


def inside_blocks(place):
    for block in place.blocks:
        place.branch(block.site("mlp.in"), block.site("block.out"), nn.Linear(16, 16))


def test_what_comes_later_is_refused_and_leaves_nothing(built, adapt_with):
    def attach(place):
        first, last = place.blocks
        for call in (
            lambda: place.branch(last.site("block.in"), first.site("block.out"), Rung()),
            lambda: place.branch(
                [first.site("attn.in"), last.site("mlp.in")], last.site("attn.in"), Rung()
            ),
            lambda: place.branch(place.site("norm.out"), first.site("block.in"), Rung()),
        ):
            with pytest.raises(AnatomyError, match="does not come before"):
                call()
        with pytest.raises(AnatomyError, match=r"wants a `torch.nn.Module`, not a `function`"):
            place.carry(first.site("block.out"), lambda x: x)
        assert not list(place.adapter.parameters())
        assert not place.adapter.pipes
        place.rewrite(first.site("block.out"), nn.Linear(16, 16))

    adapt_with(built, attach)


def test_a_side_network_stays_when_the_rest_is_folded(built, images, adapt_with, pieces):
    from onlay.anatomy.folding import fold

    def attach(place):
        ladder(place)
        place.rewrite(place.blocks[0].site("attn.in"), pieces["ScaleShift"](16))

    model = adapt_with(built, attach)
    expected = model(images)
    model.attachments.activate(None)
    refusals = fold(model.adapter)
    model.adapter.prune()
    torch.testing.assert_close(model(images), expected)
    assert [str(r) for r in refusals] == ["`norm.out`: `Up` is not affine"]
