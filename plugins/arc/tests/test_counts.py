"""Exact numbers of parameters: the formula, and what is really attached."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from onlay.anatomy import Block, Placement, Stage
from onlay.anatomy.last_blocks import held_to
from onlay.testing import TinyAnatomy, tiny_backbone
from onlay_arc.adapter import attach, count
from onlay_arc.config import ArcConfig


def outline(widths: list[int], depths: list[int]) -> TinyAnatomy:
    """Widths and depths of a backbone, and nothing else."""
    stages, index = [], 0
    for number, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        blocks = [Block(index + i, width, {}, nn.Identity()) for i in range(depth)]
        stages.append(Stage(number, width, blocks))
        index += depth
    return TinyAnatomy(model=nn.Identity(), stages=stages, sites={}, provides=frozenset())


@pytest.mark.parametrize(
    ("widths", "depths", "arc", "arc_att"),
    [
        pytest.param([768], [12], 96_432, 48_216, id="ViT-B"),
        pytest.param([1024], [24], 153_952, 76_976, id="ViT-L"),
        pytest.param([1280], [32], 213_120, 106_560, id="ViT-H"),
        pytest.param([128, 256, 512, 1024], [2, 2, 18, 2], 218_464, 109_232, id="Swin-B"),
        pytest.param([384], [12], 48_816, 24_408, id="Point-MAE"),
    ],
)
def test_published_counts(widths: list[int], depths: list[int], arc: int, arc_att: int) -> None:
    anatomy = outline(widths, depths)
    assert count(ArcConfig(), anatomy) == arc
    assert count(ArcConfig(sites=("attn.in",)), anatomy) == arc_att


def attached(config: ArcConfig, width: int, depth: int) -> nn.Module:
    with torch.device("meta"):
        place = Placement(tiny_backbone(width=width, depth=depth).anatomy)
        attach(place, config)
    return place.adapter


@pytest.mark.parametrize(("width", "depth"), [(768, 12), (1024, 24), (1280, 32), (384, 12)])
def test_attached_parameters_are_as_many_as_the_formula_says(width: int, depth: int) -> None:
    for config in (ArcConfig(), ArcConfig(sites=("attn.in",)), ArcConfig(rank=8)):
        adapter = attached(config, width, depth)
        total = sum(p.numel() for p in adapter.parameters())
        assert total == count(config, outline([width], [depth]))


def test_vit_b_has_fifty_tensors() -> None:
    """Two shared projections, and a rescaling and a bias at two sites of twelve blocks."""
    names = [name for name, _ in attached(ArcConfig(), 768, 12).named_parameters()]
    assert len(names) == 50
    assert sum(name.endswith("shared.weight") for name in names) == 2


def test_counts_of_the_last_blocks() -> None:
    # each of two sites 768 * 50 + 6 * 818; Swin-B's last three: stage 4 and one block of stage 3
    assert count(ArcConfig(), held_to(outline([768], [12]), 6)) == 2 * (38_400 + 4_908)
    swin = outline([128, 256, 512, 1024], [2, 2, 18, 2])
    stage_3, stage_4 = 512 * 50 + 562, 1024 * 50 + 2 * 1074
    assert count(ArcConfig(), held_to(swin, 3)) == 2 * (stage_3 + stage_4)
    assert count(ArcConfig(), held_to(swin, 24)) == 218_464
