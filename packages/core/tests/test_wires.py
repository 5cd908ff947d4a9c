"""None"""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from rungs import Rung, Up, ladder
from torch import nn

from onlay.errors import AnatomyError


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


@pytest.mark.skipif(torch.__version__ < "2.10", reason="an older torch says so in its own words")
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
