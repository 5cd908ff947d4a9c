"""Attach, share, copy, compile, export, detach: the backbone is never touched."""

from __future__ import annotations

import copy

import pytest
import torch

from onlay.errors import AnatomyError, BundleError
from onlay.testing import tiny_backbone


@pytest.fixture
def mixed(pieces):
    """An adapter that uses all four verbs."""

    def attach(place):
        for block in place.blocks:
            place.rewrite(block.site("attn.in"), pieces["ScaleShift"](16))
            branch = place.branch(block.site("mlp.in"), block.site("mlp.out"), pieces["Gated"](16))
            place.insert(block, pieces["Mean"](16), source=branch)
            place.rewrite(block.site("mlp.res"), pieces["ScaleShift"](16, 3))
        place.thaw(place.blocks[0].module.norm2)
        place.thaw(place.anatomy.model.cls_token)

    return attach


def tree(module):
    """Everything of a module tree that detach must restore: modules, hooks, attributes, tensor
    identities."""
    return {
        name: (
            type(m),
            {
                k: v
                for k, v in vars(m).items()
                if k not in {"_parameters", "_buffers", "training"}
                and not k.endswith("hooks")
                and k not in {"_modules"}
            },
            {k: (id(t), t.requires_grad) for k, t in m._parameters.items() if t is not None},
            [len(v) for k, v in vars(m).items() if k.endswith("hooks") and hasattr(v, "__len__")],
        )
        for name, m in module.named_modules()
    }


def test_detach_restores_tree_and_outputs_bit_for_bit(built, images, adapt_with, mixed):
    backbone = built.module
    bare, before, values = backbone(images), tree(backbone), copy.deepcopy(backbone.state_dict())
    model = adapt_with(built, mixed)
    optimizer = torch.optim.SGD(model.trained_parameters().values(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model.loss((images, torch.tensor([0, 2]))).backward()
        optimizer.step()
    assert model.detach() is backbone
    assert tree(backbone) == before
    assert torch.equal(backbone(images), bare)
    assert all(torch.equal(v, values[k]) for k, v in backbone.state_dict().items())


def test_step_moves_the_adapter_and_nothing_else(built, images, adapt_with, mixed):
    model = adapt_with(built, mixed)
    frozen = {n: p.clone() for n, p in model.backbone.named_parameters() if not p.requires_grad}
    trained = {n: p.detach().clone() for n, p in model.trained_parameters().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.loss((images, torch.tensor([0, 2]))).backward()
    optimizer.step()
    now = dict(model.backbone.named_parameters())
    assert all(torch.equal(value, now[name]) for name, value in frozen.items())
    moved = {n for n, p in model.trained_parameters().items() if not torch.equal(p, trained[n])}
    # The last block's token is made after the last attention: a head on the class token never sees
    # it.
    unseen = {n for n in trained if n.startswith("adapter.blocks.1.block_out.inserts")}
    assert set(trained) - moved == unseen


def test_two_adapters_share_one_backbone_untouched_by_one_another(
    built, images, adapt_with, mixed, pieces
):
    bare = built.module(images)
    one = adapt_with(built, mixed, name="one")
    first = one(images)
    two = adapt_with(
        built, lambda p: p.rewrite(p.blocks[1].site("mlp.in"), pieces["Matrix"](16)), name="two"
    )
    second = two(images)
    assert torch.equal(one(images), first)
    assert torch.equal(two(images), second)
    assert not torch.equal(first, second)
    with two.disabled() as backbone:
        assert torch.equal(backbone(images), bare)
    one.detach()
    assert torch.equal(two(images), second)
    assert torch.equal(two.detach()(images), bare)
    assert all(p.requires_grad for p in built.module.parameters())


def test_attaching_twice_under_one_name_is_an_error(built, adapt_with, mixed):
    adapt_with(built, mixed)
    with pytest.raises(AnatomyError, match="already carries an adapter named `default`"):
        adapt_with(built, mixed)


def test_deepcopy_is_independent(built, images, adapt_with, mixed):
    model = adapt_with(built, mixed).eval()
    before = model(images)
    twin = copy.deepcopy(model)
    assert torch.equal(twin(images), before)
    with torch.no_grad():
        for parameter in twin.trained_parameters().values():
            parameter.add_(1)
    assert torch.equal(model(images), before)
    assert not torch.equal(twin(images), before)
    twin.detach()
    assert torch.equal(model(images), before)


def test_checkpointing_gives_the_same_gradients(built, images, adapt_with, mixed):
    model = adapt_with(built, mixed)

    def gradients():
        model.zero_grad()
        model.loss((images, torch.tensor([0, 2]))).backward()
        return {n: p.grad for n, p in model.trained_parameters().items() if p.grad is not None}

    expected = gradients()
    model.set_grad_checkpointing(True)
    got = gradients()
    assert got.keys() == expected.keys()
    for name, gradient in got.items():
        torch.testing.assert_close(gradient, expected[name])


def test_bfloat16_autocast_is_finite_and_close(built, images, adapt_with, mixed):
    model = adapt_with(built, mixed)
    exact = model(images)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model.loss((images, torch.tensor([0, 2])))
        rounded = model(images)
    loss.backward()
    assert torch.isfinite(loss)
    torch.testing.assert_close(rounded.float(), exact, atol=0.1, rtol=0.1)


def test_compile_gives_the_same_outputs_and_gradients(built, images, adapt_with, mixed):
    model = adapt_with(built, mixed)
    expected = model(images)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    output = compiled(images)
    torch.testing.assert_close(output, expected)
    output.sum().backward()
    assert all(
        p.grad is not None
        for n, p in model.trained_parameters().items()
        if "blocks.1.block_out.inserts" not in n
    )


def test_export_gives_the_same_outputs(built, images, adapt_with, mixed):
    model = adapt_with(built, mixed).eval()
    program = torch.export.export(model, (images,))
    torch.testing.assert_close(program.module()(images), model(images))


def test_moving_to_another_dtype_and_detaching_keeps_one_dtype(built, adapt_with, mixed):
    model = adapt_with(built, mixed)
    model.to(torch.float64)
    backbone = model.detach()
    assert {p.dtype for p in backbone.parameters()} == {torch.float64}


def test_state_round_trip_is_strict_both_ways(built, images, adapt_with, mixed):
    model = adapt_with(built, mixed).eval()
    with torch.no_grad():
        for parameter in model.trained_parameters().values():
            parameter.add_(0.1)
    state = {name: tensor.clone() for name, tensor in model.trained_state().items()}
    other = adapt_with(tiny_backbone(), mixed).eval()
    other.load_trained_state(state)
    assert torch.equal(other(images), model(images))
    name = "adapter.blocks.0.attn_in.rewrites.0.scale"
    with pytest.raises(BundleError, match=f"`{name}` is missing"):
        other.load_trained_state({k: v for k, v in state.items() if k != name})
    with pytest.raises(BundleError, match=r"`adapter.more` is unexpected"):
        other.load_trained_state({**state, "adapter.more": torch.zeros(1)})
    with pytest.raises(BundleError, match=r"is \(3,\) and should be \(16,\)"):
        other.load_trained_state({**state, name: torch.zeros(3)})


def test_shared_modules_train_and_save_once(built, adapt_with, pieces):
    shared = pieces["Matrix"](16)

    def attach(place):
        for block in place.blocks:
            place.rewrite(block.site("attn.in"), shared)

    model = adapt_with(built, attach)
    names = [n for n in model.trained_state() if n.startswith("adapter.")]
    assert names == [f"adapter.blocks.0.attn_in.rewrites.0.{n}" for n in ("matrix", "bias")]
    assert model.trainable_report().method == 16 * 16 + 16


def test_report_counts_by_hand(built, adapt_with, mixed):
    report = adapt_with(built, mixed).trainable_report()
    gated = 16 * 2 + 2 + 2 * 16 + 16
    assert report.method == 2 * (32 + gated + 32 + 32)
    assert report.other == 32 + 16
    assert report.head == 16 * 3 + 3
    block = 2 * 32 + (16 * 48 + 48) + (16 * 16 + 16) + (16 * 32 + 32) + (32 * 16 + 16)
    assert report.backbone == 2 * block + (3 * 16 * 16 + 16) + 16 + 32
    assert "method 424" in str(report) or str(report.method) in str(report)
