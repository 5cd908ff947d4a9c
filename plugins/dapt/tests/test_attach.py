"""DAPT on a backbone: what it computes, what trains and when, what stays as it was."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import onlay
from onlay.pages.changes import CHANGE
from onlay.pages.observing import observe
from onlay_dapt.adapter import DynamicAdapter
from onlay_dapt.scale_and_shift import ScaleAndShift

TARGETS = torch.tensor([0, 1, 2])


def neutral(model: Any) -> None:
    """gamma 1, beta 0; up-projections start at zero."""
    for module in model.adapter.modules():
        if isinstance(module, ScaleAndShift):
            nn.init.ones_(module.gamma)
            nn.init.zeros_(module.beta)


def opened(model: Any) -> Any:
    """No token's scale is 0: on narrow networks chance closes whole blocks, which then learn
    nothing."""
    for module in model.adapter.modules():
        if isinstance(module, DynamicAdapter):
            nn.init.ones_(module.score.bias)
    return model


def train(model: Any, inputs: Tensor, steps: int = 3) -> None:
    model.train()
    optimizer = torch.optim.SGD(model.trained_parameters().values(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss((inputs, TARGETS[: len(inputs)])).backward()
        optimizer.step()


def test_is_the_plain_backbone_bit_for_bit_where_it_does_nothing(
    points: Any, adapt: Any, clouds: Tensor
) -> None:
    built = points(depth=3)
    with torch.no_grad():
        before = built.module(clouds)
        model = adapt(built, pool="cls", prompts=False, position="every_block")
        neutral(model)
        assert torch.equal(built.module(clouds), before)


def test_position_once_or_as_the_backbone_has_it(points: Any, adapt: Any, clouds: Tensor) -> None:
    fields = {"pool": "cls", "prompts": False, "scale_and_shift": False}
    with torch.no_grad():
        once = points(position="once").module(clouds)
        every = points().module(clouds)
        assert (once - every).abs().max() > 0.01
        for built, position, expected in (
            (points(), "once", once),
            (points(), "every_block", every),
            (points(), "backbone", every),
            (points(position="once"), "backbone", once),
        ):
            adapt(built, position=position, **fields)
            assert torch.equal(built.module(clouds), expected)


def test_against_the_block_written_out(points: Any, adapt: Any, clouds: Tensor, randomize: Any):
    """Section 2.1 of the specification, with the adapter's own modules."""
    built = points(depth=1)
    model = adapt(built)
    randomize(model)
    a = model.adapter
    home = a.blocks._modules["0"]

    def T(name: str, x: Tensor) -> Tensor:
        pipe = getattr(home, name) if hasattr(home, name) else getattr(a, name)
        return pipe.rewrites[0].gamma * x + pipe.rewrites[0].beta

    with torch.no_grad():
        features = model.anatomy.encode(clouds, inserted=1)
        cls, pos = built.module.cls_token.clone(), built.module.cls_pos.clone()
        model.detach()
        net, block = built.module, built.module.blocks.blocks[0]
        patches, centres = net.group(clouds)
        x = torch.cat([cls.expand(3, -1, -1), T("embed_out", net.encoder(patches))], 1)
        x = x + torch.cat([pos.expand(3, -1, -1), net.pos_embed(centres)], 1)
        qkv = T("qkv_out", block.attn.qkv(T("attn_in", block.norm1(x))))
        q, k, v = (t.unflatten(-1, (2, -1)).transpose(1, 2) for t in qkv.chunk(3, -1))
        mixed = ((q @ k.mT / 12**0.5).softmax(-1) @ v).transpose(1, 2).flatten(2)
        x = x + T("attn_out", block.attn.proj(mixed))
        z = T("mlp_in", block.norm2(x))
        added = home.mlp_out.branches[0](z)
        x = x + T("mlp_out", block.mlp.fc2(F.gelu(T("fc1_out", block.mlp.fc1(z))))) + added
        transform = home.block_out.inserts[0].transform
        prompt = transform.gamma * F.gelu(added).mean(1, keepdim=True) + transform.beta
        x = T("norm_out", net.norm(torch.cat([x[:, :1], prompt, x[:, 1:]], 1)))
    torch.testing.assert_close(features.cls, x[:, 0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(features.prompts, x[:, 1:2], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(features.patches, x[:, 2:], atol=1e-5, rtol=1e-5)


def test_prompts_accumulate(points: Any, adapt: Any) -> None:
    """129 tokens enter the first of twelve blocks, 141 leave the last."""
    built = points(depth=12, groups=128, group_size=4)
    model = adapt(built)
    lengths: list[int] = []
    for block in built.module.blocks.blocks:
        block.register_forward_pre_hook(lambda _, args: lengths.append(args[0].shape[1]))
    features: list[Any] = []
    model.head.register_forward_pre_hook(lambda _, args: features.append(args[0]))
    with torch.no_grad():
        model(torch.randn(1, 256, 3))
    assert lengths == list(range(129, 141))
    assert (features[0].prompts.shape[1], features[0].patches.shape[1]) == (12, 128)


def test_gradients_at_the_first_step_and_at_the_second(
    points: Any, adapt: Any, clouds: Tensor
) -> None:
    """A zero up-projection holds back what lies before it, and a zero update the prompt's gamma."""
    model = opened(adapt(points()))
    idle = ("down.", "score.", "branches.0.norm.", "transform.gamma")

    def gradients() -> dict[str, Tensor]:
        model.zero_grad()
        model.train().loss((clouds, TARGETS)).backward()
        return {n: p.grad for n, p in model.adapter.named_parameters()}

    for name, gradient in gradients().items():
        assert gradient.any() == (not any(part in name for part in idle)), name
    train(model, clouds, steps=1)
    assert [name for name, gradient in gradients().items() if not gradient.any()] == []


def test_what_trains_and_what_stays(points: Any, adapt: Any, clouds: Tensor) -> None:
    built = points()
    frozen = {n: t.clone() for n, t in built.module.state_dict().items()}
    model = opened(adapt(built))
    trained = {n: p.detach().clone() for n, p in model.trained_parameters().items()}
    train(model, clouds)
    after = model.trained_parameters()
    assert [name for name, t in trained.items() if torch.equal(t, after[name])] == []
    model.detach()
    for name, tensor in built.module.state_dict().items():
        assert torch.equal(tensor, frozen[name]), name


@pytest.mark.parametrize("freeze_bn", [False, True])
def test_statistics_drift_unless_frozen_and_the_bundle_holds_them(
    points: Any, adapt: Any, clouds: Tensor, host: Any, tmp_path: Any, freeze_bn: bool
) -> None:
    model = adapt(points(), freeze_bn=freeze_bn)
    norm = model.backbone.encoder.first_conv[1]
    before = norm.running_mean.clone()
    train(model, clouds)
    assert torch.equal(norm.running_mean, before) == freeze_bn
    name = "adapter.thawed.encoder.first_conv.1.running_mean"
    assert (name in model.trained_state()) != freeze_bn
    model.eval().save_pretrained(tmp_path / "bundle")
    loaded = onlay.load(tmp_path / "bundle", backbone=points(), host=host)
    with torch.no_grad():
        assert torch.equal(loaded(clouds), model(clouds))


def test_detaching_gives_the_backbone_back_bit_for_bit(
    points: Any, adapt: Any, clouds: Tensor, randomize: Any
) -> None:
    built = points()
    names = [n for n, _ in built.module.named_modules()]
    with torch.no_grad():
        before = built.module(clouds)
        model = adapt(built)
        randomize(model)
        assert (built.module(clouds)[:, -16:] - before[:, -16:]).abs().max() > 0.1
        assert torch.equal(model.detach()(clouds), before)
    assert [n for n, _ in built.module.named_modules()] == names


def test_a_copy_is_its_own(points: Any, adapt: Any, clouds: Tensor) -> None:
    model = adapt(points())
    twin = copy.deepcopy(model)
    with torch.no_grad():
        before = model(clouds)
        assert torch.equal(twin(clouds), before)
    train(twin, clouds)
    with torch.no_grad():
        assert torch.equal(model.eval()(clouds), before)
        assert not torch.equal(twin.eval()(clouds), before)


def test_the_lighter_variants(points: Any, adapt: Any, clouds: Tensor) -> None:
    bare = adapt(points(), pool="cls+max", prompts=False, scale_and_shift=False)
    kinds = {type(m) for m in bare.adapter.modules()}
    assert DynamicAdapter in kinds
    assert ScaleAndShift not in kinds
    largest = adapt(points(), prompt_pooling="max", scale_and_shift=False)
    train(largest, clouds, steps=1)
    assert largest.eval()(clouds).shape == (3, 3)


def test_translation_changes_positions_but_not_patches(
    points: Any, adapt: Any, clouds: Tensor
) -> None:
    model = adapt(points())
    moved = clouds + torch.tensor([0.5, 0.0, 0.0])
    near, far = model.backbone.group(clouds)[0], model.backbone.group(moved)[0]
    torch.testing.assert_close(near, far, atol=1e-6, rtol=1e-5)
    with torch.no_grad():
        assert (model(clouds) - model(moved)).abs().max() > 1e-3


def test_images(image_backbone: Any, adapt: Any, images: Tensor) -> None:
    """The same sites; prompts behind the class token, which trains, before the patches."""
    built = image_backbone()
    frozen = {n: t.clone() for n, t in built.module.state_dict().items()}
    model = adapt(built)
    train(model, images)
    features = model.anatomy.encode(images, inserted=2)
    assert (features.prompts.shape[1], features.patches.shape[1]) == (2, 4)
    model.detach()
    for name, tensor in built.module.state_dict().items():
        assert torch.equal(tensor, frozen[name]), name


def test_inspect_shows_the_change_at_every_block_though_prompts_are_in_front(
    adapt: Any, image_backbone: Any, images: Tensor, randomize: Any
) -> None:
    model = adapt(image_backbone(), pool="cls")
    randomize(model)
    seen = observe(model, Path("picture.png"), images[:1])
    changes = [signal for signal in seen.signals if signal.name == CHANGE]
    assert [signal.block for signal in changes] == [0, 1]
    assert all(signal.patches_NK.any() for signal in changes)
