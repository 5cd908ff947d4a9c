"""What the networks compute, and how many parameters they have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import onlay
from onlay.anatomy import Placement
from onlay.anatomy.attachments import Attachments
from onlay.bundle.reading import read_manifest, read_tensors
from onlay.host import PluginHost
from onlay.tasks.classification import ClassificationHead
from onlay.tasks.config import ClassificationConfig
from onlay_pointcloud.backbones.build import adopt, build
from onlay_pointcloud.backbones.config import (
    PointBertConfig,
    PointMaeConfig,
    PublishedBackbone,
    ReConAsMaeConfig,
    ReConConfig,
)
from onlay_pointcloud.network.point_mae import PointMae, ReCon

MAE_HEAD = {"hidden": (256, 256), "hidden_norm": "batch", "dropout": 0.5}
BERT_HEAD = {"hidden": (256,), "dropout": 0.5}

Shapes = Callable[[str], dict[str, tuple[int, ...]]]


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def published(config: type[PublishedBackbone]) -> Any:
    return build(config(pretrained=False, npoints=2048, groups=128))  # type: ignore[call-arg]


def head_for(built: Any, layers: dict[str, Any], classes: int) -> ClassificationHead:
    config = ClassificationConfig(**layers)
    return ClassificationHead(config, built.anatomy.pooled_width, [str(i) for i in range(classes)])


@pytest.mark.parametrize(
    ("config", "listing", "layers", "counts"),
    [
        (PointMaeConfig, "mae_ft", MAE_HEAD, {15: 22_093_327, 40: 22_099_752}),
        (PointBertConfig, "bert_ft", BERT_HEAD, {15: 22_059_535}),
        (ReConConfig, "recon_ft", MAE_HEAD, {15: 43_571_215, 40: 43_577_640}),
    ],
)
def test_published_networks_have_the_tensors_of_their_authors(
    config: type[PublishedBackbone],
    listing: str,
    layers: dict[str, Any],
    counts: dict[int, int],
    listed: Shapes,
) -> None:
    """Names and shapes of the backbone; shapes, in order, of the head; parameters of both."""
    built = published(config)
    theirs = listed(listing)
    head_names = [name for name in theirs if name.startswith("cls_head_finetune.")]
    classes = theirs[head_names[-1]][0]
    own = {name: tuple(t.shape) for name, t in built.module.state_dict().items()}
    assert own == {name: shape for name, shape in theirs.items() if name not in head_names}
    ours = [tuple(t.shape) for t in head_for(built, layers, classes).state_dict().values()]
    assert ours == [theirs[name] for name in head_names]
    assert {n: size(built.module) + size(head_for(built, layers, n)) for n in counts} == counts


def test_parts_of_point_mae_count_as_measured() -> None:
    """The mini-PointNet, position embedding, one block, and the whole without a head, also where
    ReCon's weights are to go."""
    model = published(PointMaeConfig).module
    assert size(model.encoder) == 494_464
    assert size(model.pos_embed) == 50_048
    assert size(model.blocks.blocks[0]) == 1_773_312
    assert size(model) == size(published(ReConAsMaeConfig).module) == 21_825_792


def encoded(state: dict[str, Tensor], cloud: Tensor, groups: int, near: int) -> tuple[Any, ...]:
    """Group tokens (G, D) of one cloud and their positions, in plain functions."""
    chosen, nearest = [0], torch.full((len(cloud),), torch.inf)
    while len(chosen) < groups:
        nearest = nearest.minimum((cloud - cloud[chosen[-1]]).square().sum(-1))
        chosen.append(int(nearest.argmax()))
    centres = cloud[chosen]
    order = (cloud[None] - centres[:, None]).square().sum(-1).argsort(-1)[:, :near]
    x = (cloud[order] - centres[:, None]).transpose(1, 2)  # (G, 3, K)

    def conv(name: str, x: Tensor) -> Tensor:
        return F.conv1d(x, state[f"encoder.{name}.weight"], state[f"encoder.{name}.bias"])

    def norm(name: str, x: Tensor) -> Tensor:
        moments = (state[f"encoder.{name}.running_{part}"] for part in ("mean", "var"))
        affine = (state[f"encoder.{name}.{part}"] for part in ("weight", "bias"))
        return F.relu(F.batch_norm(x, *moments, *affine))

    f = conv("first_conv.3", norm("first_conv.1", conv("first_conv.0", x)))
    f = torch.cat([f.amax(2, keepdim=True).expand_as(f), f], dim=1)
    tokens = conv("second_conv.3", norm("second_conv.1", conv("second_conv.0", f))).amax(2)
    return tokens, mlp(state, "pos_embed", centres, ("0", "2"))


def mlp(
    s: dict[str, Tensor], at: str, x: Tensor, names: tuple[str, str] = ("fc1", "fc2")
) -> Tensor:
    first, second = (f"{at}.{name}" for name in names)
    x = F.gelu(F.linear(x, s[f"{first}.weight"], s[f"{first}.bias"]))
    return F.linear(x, s[f"{second}.weight"], s[f"{second}.bias"])


def norm(s: dict[str, Tensor], at: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], s[f"{at}.weight"], s[f"{at}.bias"], 1e-5)


def attention(s: dict[str, Tensor], at: str, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    mixed = []
    for q_h, k_h, v_h in zip(*(t.chunk(heads, dim=-1) for t in (q, k, v)), strict=True):
        mixed.append((q_h @ k_h.T / q_h.shape[-1] ** 0.5).softmax(-1) @ v_h)
    return F.linear(torch.cat(mixed, -1), s[f"{at}.proj.weight"], s[f"{at}.proj.bias"])


def self_attention(s: dict[str, Tensor], at: str, x: Tensor, heads: int) -> Tensor:
    q, k, v = F.linear(x, s[f"{at}.qkv.weight"]).chunk(3, dim=-1)
    return attention(s, at, q, k, v, heads)


def point_mae(s: dict[str, Tensor], cloud: Tensor, position: str) -> Tensor:
    """Point-MAE for one cloud: (1 + G, D)."""
    tokens, pos = encoded(s, cloud, 16, 8)
    x = torch.cat([s["cls_token"][0], tokens])
    pos = torch.cat([s["cls_pos"][0], pos])
    for i in range(3):
        if i == 0 or position == "every_block":
            x = x + pos
        at = f"blocks.blocks.{i}"
        x = x + self_attention(s, f"{at}.attn", norm(s, f"{at}.norm1", x), 3)
        x = x + mlp(s, f"{at}.mlp", norm(s, f"{at}.norm2", x))
    return norm(s, "norm", x)


def recon(s: dict[str, Tensor], cloud: Tensor) -> Tensor:
    """ReCon for one cloud: (3 + G, D)."""
    tokens, pos = encoded(s, cloud, 16, 8)
    names = ("cls", "img", "text")
    x = torch.cat([*(s[f"{name}_token"][0] for name in names), tokens])
    pos = torch.cat([*(s[f"{name}_pos"][0] for name in names), pos])
    for i in range(3):
        x, at = x + pos, f"blocks.blocks.{i}"
        q, v = norm(s, f"{at}.norm1_contrast", x[:3]), norm(s, f"{at}.norm1", x[3:])
        cross = f"{at}.attn_contrast"
        k_v = F.linear(v, s[f"{cross}.kv.weight"]).chunk(2, dim=-1)
        q = q + attention(s, cross, F.linear(q, s[f"{cross}.q.weight"]), *k_v, 3)
        v = v + self_attention(s, f"{at}.attn", v, 3)
        q, v = norm(s, f"{at}.norm2_contrast", q), norm(s, f"{at}.norm2", v)
        q, v = q + mlp(s, f"{at}.mlp_contrast", q), v + mlp(s, f"{at}.mlp", v)
        x = torch.cat([q, v])
    return norm(s, "norm", x)


@pytest.mark.parametrize("position", ["every_block", "once"])
@torch.no_grad()
def test_point_mae_computes_what_its_authors_wrote(
    small: Callable[..., PointMae], clouds: Tensor, position: str
) -> None:
    model = small(position=position)
    expected = torch.stack([point_mae(model.state_dict(), cloud, position) for cloud in clouds])
    assert (model(clouds) - expected).abs().max() < 1e-5
    features = adopt(model).anatomy.encode(clouds)  # type: ignore[union-attr]
    assert features.pooled is not None
    joined = torch.cat([expected[:, 0], expected[:, 1:].amax(1)], dim=1)
    assert (features.pooled - joined).abs().max() < 1e-5


@torch.no_grad()
def test_positions_once_and_every_time_are_two_functions(
    small: Callable[..., PointMae], clouds: Tensor
) -> None:
    every, once = small(), small(position="once")
    once.load_state_dict(every.state_dict())
    assert (every(clouds) - once(clouds)).abs().max() > 1e-2


@torch.no_grad()
def test_recon_computes_what_its_authors_wrote(
    small: Callable[..., PointMae], clouds: Tensor
) -> None:
    model = small(ReCon)
    expected = torch.stack([recon(model.state_dict(), cloud) for cloud in clouds])
    assert (model(clouds) - expected).abs().max() < 1e-5
    features = adopt(model).anatomy.encode(clouds)  # type: ignore[union-attr]
    assert features.pooled is not None
    joined = torch.cat([expected[:, :3].flatten(1), expected[:, 3:].amax(1)], dim=1)
    assert (features.pooled - joined).abs().max() < 1e-5


@torch.no_grad()
def test_recon_as_mae_is_another_function_of_the_same_weights(
    small: Callable[..., PointMae], clouds: Tensor
) -> None:
    faithful, as_mae = small(ReCon), small()
    shared = {n: t for n, t in faithful.state_dict().items() if n in as_mae.state_dict()}
    as_mae.load_state_dict(shared)
    patches = faithful(clouds)[:, -16:], as_mae(clouds)[:, -16:]
    assert (patches[0] - patches[1]).abs().max() > 1e-2


@torch.no_grad()
def test_further_columns_are_not_the_encoders(
    small: Callable[..., PointMae], clouds: Tensor
) -> None:
    model = small()
    wider = torch.cat([clouds, torch.full((2, 64, 1), 7.0)], dim=-1)
    assert torch.equal(model(wider), model(clouds))
    anatomy = adopt(model).anatomy  # type: ignore[union-attr]
    assert anatomy.encode(wider).inputs is wider


@torch.no_grad()
def test_levels_are_the_blocks_groups_after_the_last_norm(
    small: Callable[..., PointMae], clouds: Tensor
) -> None:
    anatomy = adopt(small()).anatomy  # type: ignore[union-attr]
    features = anatomy.encode(clouds, levels=(0, 2))
    assert [level.shape for level in features.levels] == [(2, 48, 16)] * 2
    assert torch.equal(features.levels[1], features.patches.transpose(1, 2))
    assert not torch.equal(features.levels[0], features.levels[1])


@pytest.mark.parametrize("method", ["linear", "full"])
@pytest.mark.parametrize("freeze_bn", [True, False])
def test_statistics_drift_in_copies_or_not_at_all(
    small: Callable[..., PointMae], clouds: Tensor, host: PluginHost, method: str, freeze_bn: bool
) -> None:
    """A frozen backbone keeps its statistics unless asked; full fine-tuning always moves copies."""
    network = small()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with torch.no_grad():
        output = network(clouds)
    built = adopt(network)
    assert built is not None
    built.anatomy.freeze_bn = freeze_bn
    model = onlay.adapt(built, method, num_classes=3, host=host).train()
    model.loss((clouds, torch.tensor([0, 2]))).backward()
    kept = model.trained_state()
    path = "adapter.thawed.encoder.first_conv.1.running_mean"
    drifts = method == "full" or not freeze_bn
    assert (path in kept) == drifts
    if drifts:
        own = "encoder.first_conv.1.running_mean"
        assert (kept[path] - before[own]).abs().max() > 1e-4
        assert kept["adapter.thawed.encoder.second_conv.1.num_batches_tracked"].item() == 1 + int(
            before["encoder.second_conv.1.num_batches_tracked"]
        )
    model.detach()
    after = network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    with torch.no_grad():
        assert torch.equal(network.eval()(clouds), output)


def test_drifted_statistics_come_back_with_the_bundle(
    small: Callable[..., PointMae], clouds: Tensor, host: PluginHost, tmp_path: Any
) -> None:
    network = small()
    built = adopt(network)
    assert built is not None
    built.anatomy.freeze_bn = False
    model = onlay.adapt(built, "linear", num_classes=3, host=host)
    for _ in range(3):
        model.train()(clouds)
    with torch.no_grad():
        logits = model.eval()(clouds)
        bundle = model.save_pretrained(tmp_path / "bundle")
        model.detach()
        fresh = adopt(network)
        assert fresh is not None
        fresh.anatomy.freeze_bn = False
        again = onlay.adapt(fresh, "linear", num_classes=3, host=host)
        again.load_trained_state(read_tensors(bundle, read_manifest(bundle)))
        assert torch.equal(again.eval()(clouds), logits)


@torch.no_grad()
def test_inserted_tokens_lie_between_the_learned_ones_and_the_groups(
    small: Callable[..., PointMae], clouds: Tensor
) -> None:
    """They get no position, and `Features` says which they are, the newest first."""

    class Constant(nn.Module):
        def __init__(self, value: float) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.full((1, 1, 48), value))

        def forward(self) -> Tensor:
            return self.token

    network = small()
    built = adopt(network)
    assert built is not None
    place = Placement(built.anatomy)
    for block, value in zip(place.blocks, (1.0, 2.0, 3.0), strict=True):
        place.insert(block, Constant(value))
    seen: list[Tensor] = []
    network.norm.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    attachments = Attachments.of(network)
    attachments.add("default", place.adapter)
    features = built.anatomy.encode(clouds, inserted=3)
    assert seen[0].shape == (2, 1 + 3 + 16, 48)
    assert torch.equal(seen[0][:, 1], torch.full((2, 48), 3.0))  # passed no block
    assert features.prompts.shape == (2, 3, 48)
    assert features.patches.shape == (2, 16, 48)
    assert features.layout.prefix == 4
