"""ARC on a backbone: what it changes at step 0, what trains, sharing, merging, detaching."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from onlay.errors import CannotFold
from onlay.pages.changes import CHANGE
from onlay.pages.observing import observe
from onlay.testing import tiny_backbone
from onlay_arc.adapter import Recomposed


def tokens(built: Any, images: Tensor) -> Tensor:
    with torch.no_grad():
        return built.module.eval()(images)


@pytest.mark.parametrize("fields", [{"sites": ("attn.in",)}, {"mlp_rescale_init": "zeros"}])
def test_starts_as_the_frozen_backbone_bit_for_bit(adapt: Any, images: Tensor, fields: Any) -> None:
    built = tiny_backbone()
    before = tokens(built, images)
    adapt(built, **fields)
    assert torch.equal(tokens(built, images), before)


def test_starts_elsewhere_as_the_authors_code_does(adapt: Any, images: Tensor) -> None:
    built = tiny_backbone()
    before = tokens(built, images)
    adapt(built)
    assert (tokens(built, images) - before).abs().max() > 1e-3


def test_acts_before_qkv_and_before_fc1(adapt: Any, images: Tensor, randomize: Any) -> None:
    """Against the block written out: z = x + MHA(A(LN1(x))), z + MLP(A(LN2(z)))."""
    built = tiny_backbone(depth=1)
    model = adapt(built)
    randomize(model)
    block = built.module.blocks[0]
    attn, mlp = (m for m in model.adapter.modules() if isinstance(m, Recomposed))
    with torch.no_grad():
        seen: list[Tensor] = []
        handle = block.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        output = tokens(built, images)
        handle.remove()
        model.detach()
        z = seen[0] + block.attn(attn(block.norm1(seen[0])))
        z = z + block.mlp(mlp(block.norm2(z)))
        assert torch.equal(output, built.module.norm(z))


def test_every_adapter_tensor_trains_and_nothing_else(adapt: Any, images: Tensor) -> None:
    """The released VTAB script trains the head alone; here that is impossible, and checked."""
    built = tiny_backbone()
    frozen = {n: t.clone() for n, t in built.module.state_dict().items()}
    model = adapt(built).train()
    trained = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
    # D = 16, r = 4, two blocks, two sites: 2 (16 * 4 + 2 (4 + 16)) = 208, and a head of 3 classes
    assert sum(t.numel() for t in trained.values()) == 208 + 3 * 17
    assert all(name.startswith(("adapter.", "head.")) for name in trained)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model.loss((images, torch.tensor([0, 1]))).backward()
        optimizer.step()
    after = dict(model.named_parameters())
    assert [name for name, t in trained.items() if torch.equal(t, after[name])] == []
    for name, tensor in built.module.state_dict().items():
        assert torch.equal(tensor, frozen[name]), name


def gradients(model: Any, images: Tensor) -> dict[str, Tensor]:
    model.loss((images, torch.tensor([0, 1]))).backward()
    return {n: p.grad for n, p in model.adapter.named_parameters()}


def test_gradients_at_the_first_step(adapt: Any, images: Tensor) -> None:
    """U at attention learns nothing while s is zero, s does; at the MLP both do."""
    grads = gradients(adapt(tiny_backbone()), images)
    by_site = {site: {n: g for n, g in grads.items() if site in n} for site in ("attn", "mlp")}
    for name, gradient in by_site["attn"].items():
        assert gradient.any() == (not name.endswith("shared.weight")), name
    assert all(gradient.any() for gradient in by_site["mlp"].values())


def test_a_zero_head_holds_every_gradient_back_for_one_step(adapt: Any, images: Tensor) -> None:
    model = adapt(tiny_backbone())
    nn.init.zeros_(model.head.fc.weight)
    assert not any(g.any() for g in gradients(model, images).values())


def test_one_projection_per_site_in_parameters_and_in_the_bundle(adapt: Any) -> None:
    model = adapt(tiny_backbone(depth=3))
    for names in (dict(model.adapter.named_parameters()), model.trained_state()):
        assert sum(name.endswith("shared.weight") for name in names) == 2
    shared = {id(m.shared) for m in model.adapter.modules() if isinstance(m, Recomposed)}
    assert len(shared) == 2


def test_sharing_is_per_stage(adapt: Any, hierarchical: Any) -> None:
    model = adapt(hierarchical((16, 32), (1, 3)))
    shared = [p for n, p in model.adapter.named_parameters() if n.endswith("shared.weight")]
    assert sorted(tuple(p.shape) for p in shared) == [(16, 4), (16, 4), (32, 4), (32, 4)]
    # 2 (16 * 4 + 1 (4 + 16)) + 2 (32 * 4 + 3 (4 + 32))
    assert model.trainable_report().method == 168 + 472


@pytest.mark.parametrize("qkv_bias", [True, False])
def test_merges_into_the_frozen_weights(
    adapt: Any, images: Tensor, randomize: Any, qkv_bias: bool
) -> None:
    built = tiny_backbone(qkv_bias=qkv_bias)
    model = adapt(built)
    randomize(model)
    merged = model.merge()
    assert not [m for m in merged.modules() if isinstance(m, Recomposed)]
    with torch.no_grad():
        expected, bare = model(images), model.head(features_without(model, images))
        assert (merged(images) - expected).abs().max() < 1e-4
        assert (expected - bare).abs().max() > 0.01
    assert merged.merge_change < 1e-4
    block, original = merged.backbone.blocks[1], built.module.blocks[1]
    assert block.attn.qkv.bias is not None
    adapter = model.adapter.blocks._modules["1"].attn_in.rewrites[0]
    weight, shift = adapter.affine()
    torch.testing.assert_close(block.attn.qkv.weight, original.attn.qkv.weight @ weight)
    was = original.attn.qkv.bias if qkv_bias else 0
    torch.testing.assert_close(block.attn.qkv.bias, was + original.attn.qkv.weight @ shift)


def features_without(model: Any, images: Tensor) -> Any:
    with model.disabled():
        return model.anatomy.encode(images)


def test_merging_leaves_the_adapted_model_and_detaching_the_backbone_as_they_were(
    adapt: Any, images: Tensor, randomize: Any
) -> None:
    built = tiny_backbone(qkv_bias=False)
    frozen = {n: t.clone() for n, t in built.module.state_dict().items()}
    before = tokens(built, images)
    model = adapt(built)
    randomize(model)
    model.merge()
    model.detach()
    state = built.module.state_dict()
    assert list(state) == list(frozen)
    assert all(torch.equal(state[name], tensor) for name, tensor in frozen.items())
    assert torch.equal(tokens(built, images), before)


def test_on_stages_the_mlp_is_adapted_on_the_residual_stream(
    adapt: Any, hierarchical: Any, images: Tensor, randomize: Any
) -> None:
    """Against the authors' Swin block: x = x + MSA(A(LN1(x))); x = A(x); x + MLP(LN2(x))."""
    built = hierarchical((16,), (1,))
    model = adapt(built)
    randomize(model)
    attn, mlp = (m for m in model.adapter.modules() if isinstance(m, Recomposed))
    output = tokens(built, images)
    model.detach()
    block = built.module.layers[0][0]
    with torch.no_grad():
        x = built.module.embed(images).flatten(2).transpose(1, 2)
        x = mlp(x + block.attn(attn(block.norm1(x))))
        x = x + block.mlp(block.norm2(x))
        torch.testing.assert_close(output, built.module.norm(x), atol=1e-5, rtol=0)


def test_on_stages_only_the_site_after_the_norm_merges(
    adapt: Any, hierarchical: Any, images: Tensor, randomize: Any
) -> None:
    released = adapt(hierarchical())
    with pytest.raises(CannotFold, match=r"`arc` cannot be merged at `blocks\.\d\.mlp\.res`"):
        released.merge()
    mergeable = adapt(hierarchical(), swin_mlp_site="post_norm")
    randomize(mergeable)
    with torch.no_grad():
        assert (mergeable.merge()(images) - mergeable(images)).abs().max() < 1e-4


def test_the_backward_pass_stops_at_the_first_adapted_block(adapt: Any, images: Tensor) -> None:
    built = tiny_backbone(depth=4)
    model = adapt(built, last_blocks=1)
    assert list(model.adapter.pipes) == ["blocks.3.attn.in", "blocks.3.mlp.in"]
    needs: list[bool] = []
    for block in built.module.blocks:
        block.register_forward_hook(lambda _, __, output: needs.append(output.requires_grad))
    model(images)
    assert needs == [False, False, False, True]


def test_inspect_shows_the_change_at_every_block(
    adapt: Any, images: Tensor, randomize: Any
) -> None:
    model = adapt(tiny_backbone())
    randomize(model)
    seen = observe(model, Path("picture.png"), images[:1])
    changes = [signal for signal in seen.signals if signal.name == CHANGE]
    assert [signal.block for signal in changes] == [0, 1]
    assert all(signal.patches_NK.any() for signal in changes)
