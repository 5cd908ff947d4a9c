"""SMoA on a backbone: what it computes, where its tokens go, what trains and what stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay import PluginHost
from onlay.config.train import TrainConfig
from onlay.pages.changes import CHANGE
from onlay.pages.observing import observe
from onlay.testing import tiny_backbone
from onlay_smoa.mixture import RoutedAdapter, SparseMixture
from onlay_smoa.prompt import PromptGenerator

TARGETS = torch.tensor([0, 2])
BASES = pytest.mark.parametrize("base", ["adaptformer", "adapter", "dapt"])


def attention(attn: Any, x_BTD: Tensor, heads: int) -> Tensor:
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in attn.qkv(x_BTD).chunk(3, -1))
    weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
    return attn.proj((weights @ v).transpose(1, 2).flatten(2))


def layer_norm(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt() * weight + bias


class ByHand:
    """Section 2.2: blocks in plain torch, with the adapter's tensors and the loops' mixture."""

    def __init__(self, model: Any, written: Any) -> None:
        self.adapter, self.fields = model.adapter, model.method
        mixtures = {id(m): m for m in self.adapter.modules() if isinstance(m, SparseMixture)}
        (self.mixture,) = mixtures.values()
        self.smoa = written(self.mixture)

    def block(self, index: int, block: Any, x: Tensor, at: str) -> Tensor:
        home = self.adapter.get_submodule(f"blocks.{index}")
        norm = self.adapter.thawed.get_submodule(f"{at}{index}.norm2")
        x = x + attention(block.attn, block.norm1(x), 2)
        z = layer_norm(norm.weight, norm.bias, x)
        mlp = block.mlp.fc2(F.gelu(block.mlp.fc1(z)))
        a = self.smoa(mlp if self.fields.base == "adapter" else z)
        x = x + mlp + a
        (pg,) = home.block_out.inserts
        a = F.gelu(a) if self.fields.prompt_activation == "gelu" else a
        p = pg.gamma * a.mean(1, keepdim=True) + pg.beta
        return torch.cat([x[:, :1], p, x[:, 1:]], 1)


def compare(features: Any, x_BTD: Tensor, prompts: int) -> None:
    close = {"atol": 1e-10, "rtol": 1e-9}
    assert features.prompts.shape[1] == features.layout.prefix - 1 == prompts
    torch.testing.assert_close(features.cls, x_BTD[:, 0], **close)
    torch.testing.assert_close(features.prompts, x_BTD[:, 1 : 1 + prompts], **close)
    torch.testing.assert_close(features.patches, x_BTD[:, 1 + prompts :], **close)


@BASES
@pytest.mark.parametrize("activation", ["none", "gelu"])
def test_against_two_blocks_written_out(
    base: str, activation: str, vit: Any, adapt: Any, images: Tensor, randomize: Any, written: Any
) -> None:
    """Also the order: class token, newest prompt, older ones, patches."""
    built = vit(width=8)
    model = adapt(built, base=base, prompt_activation=activation, scale=0.5)
    randomize(model.double())
    images = images.double()
    with torch.no_grad():
        features = model.anatomy.encode(images, inserted=2)
        hand, cls = ByHand(model, written), model.adapter.thawed.cls_token
        net = model.detach().double()
        x = net.embed(images).flatten(2).transpose(1, 2)
        x = torch.cat([cls.expand(2, -1, -1), x], 1)
        for index, block in enumerate(net.blocks):
            x = hand.block(index, block, x, "blocks.")
        compare(features, net.norm(x), prompts=2)


def test_norms_and_biases_of_experts_do_not_decay(points: Any, adapt: Any) -> None:
    """They are vectors, though those of all experts lie in one tensor; maps decay."""
    pytest.importorskip("onlay_train", reason="groups of parameters come with onlay-train")
    model = adapt(points(width=12, heads=2), base="dapt")
    config = TrainConfig(weight_decay=0.05)
    decayed, plain = PluginHost.discover().make_param_groups(model, config)
    names = {id(p): name for name, p in model.trained_parameters().items()}
    parted = [{names[id(p)] for p in group["params"]} for group in (decayed, plain)]
    of_norms = {name for name in names.values() if "experts.norm." in name}
    assert of_norms
    assert of_norms <= parted[1]
    assert {name for name in names.values() if name.endswith("bias")} <= parted[1]
    assert any("experts" in name for name in parted[0])


@pytest.mark.parametrize("position", ["once", "every_block"])
def test_against_two_blocks_of_a_point_network(
    position: str, points: Any, adapt: Any, clouds: Tensor, randomize: Any, written: Any
) -> None:
    built = points(width=12, heads=2)
    model = adapt(built, base="dapt", position=position)
    randomize(model.double())
    clouds = clouds.double()
    with torch.no_grad():
        features = model.anatomy.encode(clouds, inserted=2)
        hand, own = ByHand(model, written), model.adapter.thawed
        net = model.detach().double()
        patches, centres = net.group(clouds)
        x = torch.cat([own.cls_token.expand(2, -1, -1), net.reduce_dim(net.encoder(patches))], 1)
        pos = torch.cat([own.cls_pos.expand(2, -1, -1), net.pos_embed(centres)], 1)
        for index, block in enumerate(net.blocks.blocks):
            zeros = torch.zeros_like(x[:, 1 : 1 + index])
            if index == 0 or position == "every_block":
                x = x + torch.cat([pos[:, :1], zeros, pos[:, 1:]], 1)
            x = hand.block(index, block, x, "blocks.blocks.")
        compare(features, net.norm(x), prompts=2)


def test_the_sequence_grows_by_one_with_every_block(points: Any, adapt: Any) -> None:
    """129 tokens enter the first of twelve blocks, 141 leave the last."""
    built = points(depth=12, groups=128, group_size=4)
    model = adapt(built)
    lengths: list[int] = []
    for block in built.module.blocks.blocks:
        block.register_forward_pre_hook(lambda _, args: lengths.append(args[0].shape[1]))
    with torch.no_grad():
        features = model.anatomy.encode(torch.randn(1, 256, 3), inserted=12)
    assert lengths == list(range(129, 141))
    assert (features.prompts.shape[1], features.patches.shape[1]) == (12, 128)


@BASES
def test_is_the_backbone_bit_for_bit_at_the_start(
    base: str, vit: Any, adapt: Any, images: Tensor
) -> None:
    built = vit(depth=3)
    with torch.no_grad():
        before = built.module(images)
        model = adapt(built, base=base, prompts=False)
        assert torch.equal(built.module(images), before)
        model.detach()
        adapt(built, base=base)
        after = built.module(images)
    assert after.shape[1] == before.shape[1] + 3
    assert (after[:, 0] - before[:, 0]).abs().max() > 1e-4  # even such tokens are attended to


def test_prompts_start_at_beta(vit: Any, adapt: Any, images: Tensor) -> None:
    """Of a mixture that still gives zeros."""
    built = vit()
    model = adapt(built)
    outputs: list[Tensor] = []
    for block in built.module.blocks:
        block.register_forward_hook(lambda _, __, x: outputs.append(x))
    with torch.no_grad():
        model(images)
    generators = [m for m in model.adapter.modules() if isinstance(m, PromptGenerator)]
    for generator, x_BTD in zip(generators, outputs, strict=True):
        assert torch.equal(x_BTD[:, 1], generator.beta.expand(2, -1))


def test_generators_start_as_dapts_scales() -> None:
    torch.manual_seed(0)
    generator = PromptGenerator(10_000, "none")
    for tensor, mean in ((generator.gamma, 1.0), (generator.beta, 0.0)):
        assert tensor.mean().item() == pytest.approx(mean, abs=1e-3)
        assert tensor.std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(("sharing", "objects"), [("stage", 1), ("none", 3)])
def test_who_shares_a_library(sharing: str, objects: int, vit: Any, adapt: Any) -> None:
    model = adapt(vit(depth=3), sharing=sharing)
    users = [m for m in model.adapter.modules() if isinstance(m, RoutedAdapter)]
    assert len(users) == 3
    assert len({id(user.mixture) for user in users}) == objects


def test_what_trains_and_what_stays(vit: Any, adapt: Any, images: Tensor, randomize: Any) -> None:
    built = vit()
    frozen = {n: t.clone() for n, t in built.module.state_dict().items()}
    model = randomize(adapt(built, pool="cls+prompts", jitter=0.01)).train()
    trained = {n: p.detach().clone() for n, p in model.trained_parameters().items()}
    thawed = {n.removeprefix("adapter.thawed.") for n in trained if ".thawed." in n}
    norms = {f"blocks.{i}.norm2.{part}" for i in (0, 1) for part in ("weight", "bias")}
    assert thawed == norms | {"cls_token"}
    optimizer = torch.optim.SGD(model.trained_parameters().values(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model.loss((images, TARGETS)).backward()
        optimizer.step()
    after = model.trained_parameters()
    assert [name for name, t in trained.items() if torch.equal(t, after[name])] == []
    assert model.backbone.blocks[0].norm2.weight is after["adapter.thawed.blocks.0.norm2.weight"]
    model.detach()
    for name, tensor in built.module.state_dict().items():
        assert torch.equal(tensor, frozen[name]), name


def test_what_can_be_left_out(vit: Any, points: Any, adapt: Any) -> None:
    for built in (vit(), points()):
        model = adapt(built, block_norm=False, class_token=False, prompts=False)
        assert not list(model.adapter.thawed.parameters())
        assert not [m for m in model.adapter.modules() if isinstance(m, PromptGenerator)]
        model.detach()
    model = adapt(points())
    names = [n for n, _ in model.adapter.thawed.named_parameters() if "norm2" not in n]
    assert names == ["cls_token", "cls_pos"]
    model.detach()
    last = adapt(vit(depth=3), last_prompt=False)
    generators = [n for n, m in last.adapter.named_modules() if isinstance(m, PromptGenerator)]
    assert [n.split(".")[1] for n in generators] == ["0", "1"]
    assert last.adapter.tokens == 2
    assert isinstance(last.head.fc, nn.Linear)


def test_inspect_shows_the_change_at_every_block(
    adapt: Any, images: Tensor, randomize: Any
) -> None:
    model = adapt(tiny_backbone())
    randomize(model)
    seen = observe(model, Path("picture.png"), images[:1])
    changes = [signal for signal in seen.signals if signal.name == CHANGE]
    assert [signal.block for signal in changes] == [0, 1]
    assert all(signal.patches_NK.any() for signal in changes)
