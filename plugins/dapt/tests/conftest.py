"""Small point networks and clouds; the authors' tensors by name, and their network in plain torch.

Shapes: B batch, G groups, K points of a group, S tokens, D width.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import onlay
from onlay.anatomy import BuiltBackbone
from onlay.model.adapted import AdaptedModel
from onlay.testing import tiny_backbone
from onlay_dapt.config import DaptConfig

State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def image_backbone() -> Callable[..., BuiltBackbone]:
    return tiny_backbone


@pytest.fixture
def clouds() -> Tensor:
    return torch.randn(3, 64, 3, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def adapt(host: onlay.PluginHost) -> Callable[..., AdaptedModel]:
    """`adapt(built, pool="cls", rank=4, ...)`: three classes; further keywords are DAPT's."""

    def make(
        built: BuiltBackbone, *, pool: str = "cls+prompts+max", rank: int = 4, **fields: Any
    ) -> AdaptedModel:
        torch.manual_seed(0)
        config = DaptConfig(rank=rank, **fields)
        task = {"name": "classification", "pool": pool}
        return onlay.adapt(built, config, task=task, num_classes=3, host=host).eval()

    return make


@pytest.fixture
def randomize() -> Callable[[AdaptedModel], None]:
    """Put every adapter tensor away from where it starts."""

    def change(model: AdaptedModel) -> None:
        g = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for p in model.adapter.parameters():
                p.add_(0.2 * torch.randn(p.shape, generator=g))

    return change


KEYS = Path(__file__).parent / "data" / "dapt.txt"
"""Names and shapes of a state dict that the authors' code saved: OBJ_BG, 15 classes."""


def official_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    for line in KEYS.read_text().splitlines():
        name, shape = line.rsplit(" ", 1)[0].split(" ", 1)
        yield name, tuple(int(size) for size in shape.strip("()").split(",") if size)


def value(name: str, shape: tuple[int, ...], g: torch.Generator) -> Tensor:
    """Away from zeros and ones; matrices of the size that keeps activations near 1."""
    if name.endswith("num_batches_tracked"):
        return torch.tensor(1234)
    normal = torch.randn(shape, generator=g)
    if "running_var" in name or "gamma" in name or (len(shape) == 1 and name.endswith("weight")):
        return (1 + 0.2 * normal).abs() if "var" in name else 1 + 0.2 * normal
    fan_in = torch.Size(shape[1:]).numel()
    return normal / fan_in**0.5 if len(shape) in (2, 3) and shape[0] > 1 else 0.2 * normal


@pytest.fixture(scope="session")
def official() -> Callable[..., State]:
    """`official(width=48, depth=2)`: a random state dict of the authors' names, whole or small."""

    def make(
        width: int = 384, depth: int = 12, rank: int = 64, classes: int = 15, features: int = 3
    ) -> State:
        g = torch.Generator().manual_seed(0)
        sizes = {384: width, 1152: 3 * width, 1536: 4 * width, 64: rank, 15: classes}
        state = {}
        for name, shape in official_shapes():
            block = re.match(r"blocks\.blocks\.(\d+)", name)
            if block is None or int(block[1]) < depth:
                smaller = tuple(sizes.get(size, size) for size in shape)
                if name == "cls_head_finetune.0.weight":
                    smaller = (256, features * width)
                state[name] = value(name, smaller, g)
        return state

    return make


def linear(s: State, name: str, x: Tensor) -> Tensor:
    y = x @ s[f"{name}.weight"].flatten(1).T
    return y + s[f"{name}.bias"] if f"{name}.bias" in s else y


def layer_norm(s: State, name: str, x: Tensor) -> Tensor:
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt() * s[f"{name}.weight"] + s[f"{name}.bias"]


def batch_norm(s: State, name: str, x: Tensor) -> Tensor:
    spread = (s[f"{name}.running_var"] + 1e-5).sqrt()
    return (x - s[f"{name}.running_mean"]) / spread * s[f"{name}.weight"] + s[f"{name}.bias"]


def tfts(s: State, name: str, number: int, x: Tensor) -> Tensor:
    return x * s[f"{name}tfts_gamma_{number}"] + s[f"{name}tfts_beta_{number}"]


def mini_pointnet(s: State, patches_BGK3: Tensor) -> Tensor:
    f = linear(s, "encoder.first_conv.0", patches_BGK3)
    f = linear(s, "encoder.first_conv.3", batch_norm(s, "encoder.first_conv.1", f).relu())
    f = torch.cat([f.amax(2, keepdim=True).expand_as(f), f], -1)  # the whole group first
    f = batch_norm(s, "encoder.second_conv.1", linear(s, "encoder.second_conv.0", f)).relu()
    return linear(s, "encoder.second_conv.3", f).amax(2)


def attention(s: State, at: str, x_BSD: Tensor, heads: int) -> Tensor:
    qkv = tfts(s, at, 1, linear(s, f"{at}qkv", x_BSD))
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in qkv.chunk(3, -1))
    weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
    return tfts(s, at, 2, linear(s, f"{at}proj", (weights @ v).transpose(1, 2).flatten(2)))


def adapter(s: State, at: str, z: Tensor) -> Tensor:
    u = layer_norm(s, f"{at}adapter_layer_norm_before", z)
    scale = linear(s, f"{at}scale", u).relu()
    return scale * linear(s, f"{at}up_proj", F.gelu(linear(s, f"{at}down_proj", u)))


def block(s: State, at: str, x: Tensor, heads: int) -> Tensor:
    x = x + attention(s, f"{at}attn.", tfts(s, at, 1, layer_norm(s, f"{at}norm1", x)), heads)
    z = tfts(s, at, 2, layer_norm(s, f"{at}norm2", x))
    a = adapter(s, f"{at}Adapter_MLP.", z)
    mlp = F.gelu(tfts(s, f"{at}mlp.", 1, linear(s, f"{at}mlp.fc1", z)))
    x = x + tfts(s, f"{at}mlp.", 2, linear(s, f"{at}mlp.fc2", mlp)) + a
    prompt = tfts(s, at, 3, F.gelu(a).mean(1, keepdim=True))
    return torch.cat([x[:, :1], prompt, x[:, 1:]], 1)


def official_network(
    s: State, groups: tuple[Tensor, Tensor], heads: int, features: str = "cls prompts max"
) -> Tensor:
    """The authors' network in evaluation on groups (B, G, K, 3) around centres (B, G, 3)."""
    patches, centres = groups
    tokens = tfts(s, "", 1, mini_pointnet(s, patches))
    B, G, D = tokens.shape
    pos = linear(s, "pos_embed.2", F.gelu(linear(s, "pos_embed.0", centres)))
    x = torch.cat([s["cls_token"].expand(B, -1, -1), tokens], 1)
    x = x + torch.cat([s["cls_pos"].expand(B, -1, -1), pos], 1)  # once
    depth = sum(name.endswith("attn.qkv.weight") for name in s)
    for i in range(depth):
        x = block(s, f"blocks.blocks.{i}.", x, heads)
    assert x.shape == (B, 1 + depth + G, D)
    x = tfts(s, "", 2, layer_norm(s, "norm", x))
    read = {"cls": x[:, 0], "prompts": x[:, 1:-G].mean(1), "max": x[:, -G:].amax(1)}
    y = torch.cat([read[name] for name in features.split()], -1)
    for numbers in (("0", "1"), ("4", "5")):
        layer, norm = (f"cls_head_finetune.{n}" for n in numbers)
        y = batch_norm(s, norm, linear(s, layer, y)).relu()
    return linear(s, "cls_head_finetune.8", y)


@pytest.fixture
def official_logits() -> Callable[..., Tensor]:
    return official_network
