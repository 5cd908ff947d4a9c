"""Deep prompts, prompts of what a block gives, and prefixes, on Point-MAE's and ReCon's blocks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import Placement
from onlay.anatomy.attachments import Attachments
from onlay_pointcloud.anatomy import dissect
from onlay_pointcloud.network.point_mae import PointMae, ReCon


class Learned(nn.Module):
    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(width)
        self.rows = nn.Parameter(torch.randn(1, count, width, generator=g))

    def forward(self) -> Tensor:
        return self.rows


def placed(model: PointMae) -> Placement:
    place = Placement(dissect(model, npoints=64))
    Attachments.of(model).activate(None)
    return place


def inputs_of_blocks(model: PointMae, clouds: Tensor) -> tuple[Tensor, Tensor]:
    """What enters the stack: tokens and positions."""
    kept: list[Tensor] = []
    handle = model.blocks.register_forward_pre_hook(lambda m, args: kept.extend(args))
    model(clouds)
    handle.remove()
    return kept[0], kept[1]


@pytest.mark.parametrize("kind", [PointMae, ReCon])
@torch.no_grad()
def test_deep_prompts_have_no_position(kind: type[PointMae], small: Any, clouds: Tensor) -> None:
    """They stand behind the learned tokens of pretraining and are gone behind their block."""
    model, prompts = small(kind), [Learned(2, 48) for _ in range(3)]
    x, pos = inputs_of_blocks(model, clouds)
    p = pos.shape[1] - model.group.groups
    for block, own in zip(model.blocks.blocks, prompts, strict=True):
        x = x + pos
        x = block(torch.cat([x[:, :p], own.rows.expand(len(x), -1, -1), x[:, p:]], dim=1))
        x = torch.cat([x[:, :p], x[:, p + 2 :]], dim=1)
    expected = model.norm(x)
    place = placed(model)
    entries = [place.site("tokens.in"), *place.blocks[:-1]]
    for entry, block, own in zip(entries, place.blocks, prompts, strict=True):
        place.insert(entry, own, count=2, until=block)
    Attachments.of(model).add("deep", place.adapter)
    features = place.anatomy.encode(clouds, inserted=place.adapter.tokens)
    torch.testing.assert_close(features.patches, expected[:, p:], atol=1e-5, rtol=1e-5)
    assert features.prompts.shape[1] == 0
    assert features.layout.prefix == p


@torch.no_grad()
def test_what_is_added_from_inside_recons_block_reaches_its_patches_alone(
    small: Any, clouds: Tensor
) -> None:
    """The three global tokens pass beside the inner sites."""
    model, side = small(ReCon), nn.Linear(48, 48)
    block, seen = model.blocks.blocks[0], []
    block.norm2.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    block.register_forward_hook(lambda m, args, output: seen.append(output))
    model(clouds)
    bare, place = seen[1], placed(model)
    place.branch(place.blocks[0].site("mlp.res"), place.blocks[0].site("block.out"), side)
    Attachments.of(model).add("side", place.adapter)
    block.register_forward_hook(lambda m, args, output: seen.append(output))
    place.anatomy.encode(clouds)
    torch.testing.assert_close(seen[-1][:, 3:], bare[:, 3:] + side(seen[0]))
    assert torch.equal(seen[-1][:, :3], bare[:, :3])


class Longer:
    def __init__(self, rows_1PC: Tensor, heads: int) -> None:
        self.rows_1PC, self.heads, self.own = rows_1PC, heads, F.scaled_dot_product_attention

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if q.shape[2] != k.shape[2]:
            return self.own(q, k, v)  # ReCon's cross-attention is none of the sites'
        more = self.rows_1PC.unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        more_k, more_v = more.expand(-1, len(k), -1, -1, -1)
        return self.own(q, torch.cat([more_k, k], 2), torch.cat([more_v, v], 2))


@pytest.mark.parametrize("kind", [PointMae, ReCon])
@torch.no_grad()
def test_a_prefix_is_more_keys_and_values(
    kind: type[PointMae], small: Any, clouds: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, prefix = small(kind), Learned(5, 96)
    with monkeypatch.context() as patch:
        patch.setattr(F, "scaled_dot_product_attention", Longer(prefix.rows, 3))
        expected = model(clouds)
    place = placed(model)
    for block in place.blocks:
        place.extend(block, prefix, count=5)
    Attachments.of(model).add("prefix", place.adapter)
    torch.testing.assert_close(model(clouds), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_generator_reads_groups_without_their_positions(small: Any, clouds: Tensor) -> None:
    """What `block.out` gives, before the next block's position is added (IDPT)."""
    model, seen = small(), []

    class Generator(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return x[:, 1:].amax(1, keepdim=True)

    x, pos = inputs_of_blocks(model, clouds)
    first = model.blocks.blocks[0](x + pos)
    place = placed(model)
    block = place.blocks[0]
    place.insert(block, Generator(), source=block.site("block.out"))
    Attachments.of(model).add("generated", place.adapter)
    model(clouds)
    torch.testing.assert_close(seen[0], first)
