"""What leads from one block to a later one, and a network beside the backbone."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from onlay.errors import AnatomyError
from onlay.testing import tiny_backbone


class Rung(nn.Module):
    """h + gelu(x A): one step of a side network; without h it is the first."""

    def __init__(self, width: int = 16, side: int = 4, seed: int = 0) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        self.down = nn.Parameter(0.3 * torch.randn(width, side, generator=g))

    def forward(self, x, h=0):
        return h + nn.functional.gelu(x @ self.down)


class Up(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Parameter(0.3 * torch.randn(4, 16, generator=torch.Generator().manual_seed(9)))

    def forward(self, h):
        return h @ self.up


def ladder(place):
    h = None
    for block in place.blocks:
        own = block.site("block.out")
        h = place.carry([own] if h is None else [own, h], Rung(seed=block.index))
    place.branch(h, place.site("norm.out"), Up())


def across(place):
    """From the first block's MLP into the last block's attention."""
    first, last = place.blocks[0], place.blocks[-1]
    place.branch(first.site("mlp.in"), last.site("attn.out"), nn.Linear(16, 16))
    place.rewrite(first.site("attn.in"), nn.Linear(16, 16))


def gradients(model, images, **given):
    model.zero_grad()
    model.loss((images, torch.tensor([0, 1]))).backward()
    return {n: p.grad.clone() for n, p in model.trained_parameters().items()}


def held(model):
    return [tap for tap in model.adapter.taps if tap.value is not None]


def test_a_ladder_is_what_its_formula_says(built, images, adapt_with):
    model = adapt_with(built, ladder)
    seen = {}
    for i, block in enumerate(built.module.blocks):
        block.register_forward_hook(lambda m, a, out, i=i: seen.__setitem__(i, out))
    with model.disabled():
        bare = built.module(images)
    found = model.backbone(images)
    h = sum(Rung(seed=i)(seen[i]) for i in range(2))
    torch.testing.assert_close(found, bare + Up()(h))
    assert not held(model)


def test_a_branch_may_lead_to_a_later_block(built, images, adapt_with):
    torch.manual_seed(3)
    model = adapt_with(built, across)
    first, last = built.module.blocks
    read = {}
    first.mlp.register_forward_pre_hook(lambda m, a: read.__setitem__("x", a[0]))
    last.attn.register_forward_hook(lambda m, a, out: read.__setitem__("y", out))
    plain = {}
    last.attn.proj.register_forward_hook(lambda m, a, out: plain.__setitem__("y", out))
    model.backbone(images)
    (branch,) = model.adapter.pipes["blocks.1.attn.out"].incoming
    torch.testing.assert_close(read["y"], plain["y"] + branch.module(read["x"]))
    assert branch.module(read["x"]).abs().max() > 0.1


@pytest.mark.parametrize("attach", [across, ladder])
def test_recomputing_blocks_changes_no_gradient_and_holds_nothing(
    built, images, adapt_with, attach
):
    torch.manual_seed(3)
    model = adapt_with(built, attach)
    expected = gradients(model, images)
    model.set_grad_checkpointing()
    found = gradients(model, images)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-6)
    assert all(g.abs().max() > 0 for g in found.values())
    assert not held(model)


@pytest.mark.parametrize("recomputed", [False, True])
def test_adapters_of_one_backbone_hold_apart(built, images, adapt_with, recomputed):
    """Two passes in flight, then both backward passes: each has its own gradients."""
    torch.manual_seed(3)
    one = adapt_with(built, across, name="one")
    two = adapt_with(built, across, name="two")
    other = images.flip(0) * 2
    alone = [gradients(m, x) for m, x in ((one, images), (two, other))]
    for model in (one, two):
        model.zero_grad()
        model.set_grad_checkpointing(recomputed)
    targets = torch.tensor([0, 1])
    losses = one.loss((images, targets)), two.loss((other, targets))
    for loss in losses:
        loss.backward()
    for model, expected in zip((one, two), alone, strict=True):
        for name, p in model.trained_parameters().items():
            torch.testing.assert_close(p.grad, expected[name], rtol=0, atol=1e-6)
        assert not held(model)


@pytest.mark.parametrize(("call", "error"), [("model", KeyboardInterrupt), ("backbone", OSError)])
def test_a_pass_that_breaks_off_holds_nothing(built, images, adapt_with, call, error):
    torch.manual_seed(3)
    model = adapt_with(built, across)

    def breaks(module, args):
        assert held(model)
        raise error

    handle = built.module.blocks[1].register_forward_pre_hook(breaks)
    with pytest.raises(error):
        (model if call == "model" else model.backbone)(images)
    handle.remove()
    assert not held(model)


def test_the_backbones_own_checkpointing_is_refused_in_words(built, images, adapt_with):
    torch.manual_seed(3)
    model = adapt_with(built, across)
    built.module.set_grad_checkpointing()
    loss = model.loss((images, torch.tensor([0, 1])))
    with pytest.raises(AnatomyError, match=r"`set_grad_checkpointing\(\)` on the adapted model"):
        loss.backward()


@pytest.mark.parametrize("attach", [across, ladder])
def test_compiled_and_exported_it_gives_the_same(built, images, adapt_with, attach):
    torch.manual_seed(3)
    model = adapt_with(built, attach).eval()
    expected, grads = model(images), gradients(model, images)
    torch.compiler.reset()
    compiled = torch.compile(copy.deepcopy(model), backend="eager")
    torch.testing.assert_close(compiled(images), expected)
    for name, gradient in gradients(compiled, images).items():
        torch.testing.assert_close(gradient, grads[name])
    with torch.no_grad():
        program = torch.export.export(model, (images,), strict=False)
    torch.testing.assert_close(program.module()(images), expected)


def test_compiled_blocks_may_be_recomputed(built, images, adapt_with):
    torch.manual_seed(3)
    model = adapt_with(built, ladder)
    expected = gradients(model, images)
    model.set_grad_checkpointing()
    torch.compiler.reset()
    compiled = torch.compile(model, backend="eager")
    model.zero_grad()
    model.loss_of(compiled(images), torch.tensor([0, 1])).backward()
    for name, p in model.trained_parameters().items():
        torch.testing.assert_close(p.grad, expected[name], rtol=0, atol=1e-6)
    assert not held(model)


@pytest.mark.skipif(torch.__version__ < (2, 10), reason="an older torch says so in its own words")
def test_one_graph_of_recomputed_blocks_is_refused_in_words(built, images, adapt_with):
    """And where torch is told that it may, gradients are right."""
    torch.manual_seed(3)
    model = adapt_with(built, across)
    expected = gradients(model, images)
    model.set_grad_checkpointing()
    torch.compiler.reset()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    with pytest.raises(Exception, match="recomputed takes a break of the graph: leave out"):
        compiled(images)
    torch.compiler.reset()
    model.zero_grad()
    with torch._dynamo.config.patch(skip_fwd_side_effects_in_bwd_under_checkpoint=True):
        model.loss_of(compiled(images), torch.tensor([0, 1])).backward()
    for name, p in model.trained_parameters().items():
        torch.testing.assert_close(p.grad, expected[name], rtol=0, atol=1e-6)
    assert not held(model)


def eight_times(model, images):
    return [gradients(model, images) for _ in range(8)][-1]


def test_threads_of_one_backbone_hold_apart(built, images, adapt_with):
    torch.manual_seed(3)
    models = [adapt_with(built, attach, name=attach.__name__) for attach in (across, ladder)]
    inputs = [images, 2 * images.flip(0)]
    alone = [gradients(m, x) for m, x in zip(models, inputs, strict=True)]
    for model in models:
        model.set_grad_checkpointing()
    with ThreadPoolExecutor(2) as pool:
        many = list(pool.map(eight_times, models, inputs))
    for model, found, expected in zip(models, many, alone, strict=True):
        assert not held(model)
        for name, gradient in expected.items():
            torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-6)


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
