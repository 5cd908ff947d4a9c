"""What the networks compute, beside their authors' passes written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from onlay_pointcloud.backbones.build import adopt
from onlay_pointcloud.network.point_mae import PointMae, ReCon


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
