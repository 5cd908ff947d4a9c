"""Exact numbers of parameters: the specification's, and every part by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import onlay
from onlay.anatomy import Placement
from onlay.testing import tiny_backbone
from onlay_iconformer.adapter import attach, count
from onlay_iconformer.config import IconformerConfig

NAMES = {
    "ViT-T": "vit_tiny_patch16_224",
    "ViT-S": "vit_small_patch16_224",
    "ViT-B": "vit_base_patch16_224",
    "ViT-L": "vit_large_patch16_224",
    "Swin-T": "swin_tiny_patch4_window7_224",
    "Swin-B": "swin_base_patch4_window7_224",
    "Swin-L": "swin_large_patch4_window7_224",
}
EXPECTED = {
    "ViT-T": 747_264,
    "ViT-S": 1_044_480,
    "ViT-B": 1_638_912,
    "ViT-L": 4_070_400,
    "Swin-T": 1_019_712,
    "Swin-B": 2_452_224,
    "Swin-L": 3_228_288,
}


def timm_model(kind: str, device: str) -> Any:
    pytest.importorskip("onlay_image", reason="the backbones are timm's: onlay-image")
    timm = pytest.importorskip("timm", reason="comes with onlay-image")
    with torch.device(device):
        return timm.create_model(NAMES[kind], num_classes=0)


@pytest.fixture(scope="module")
def vit_b() -> Any:
    """ViT-B/16 without values."""
    model = timm_model("ViT-B", "meta")
    from onlay_image.backbones.build import adopt

    return adopt(model)


@pytest.mark.parametrize("kind", EXPECTED)
def test_the_specifications_numbers(kind: str, host: Any) -> None:
    """With the defaults, counted from the tensors that are attached."""
    model = onlay.adapt(
        timm_model(kind, "meta"), "iconformer", num_classes=7, host=host, verify=False
    )
    counted = model.trainable_report()
    assert (counted.method, counted.other) == (EXPECTED[kind], 0)
    assert counted.trainable == sum(p.numel() for p in model.trained_parameters().values())
    assert count(IconformerConfig(), model.anatomy) == EXPECTED[kind]


@pytest.mark.parametrize(("kind", "width"), [("ViT-T", 192), ("ViT-S", 384), ("Swin-T", 768)])
def test_they_are_alive(kind: str, width: int, host: Any) -> None:
    """Attached to a network with values, which passes through every site."""
    model = onlay.adapt(timm_model(kind, "cpu"), "iconformer", num_classes=7, host=host)
    counted = model.trainable_report()
    assert (counted.method, counted.head) == (EXPECTED[kind], 7 * (width + 1))


def test_shares_as_published() -> None:
    """The paper's 1.6 to 2.8 %, of the backbones' sizes in this literature."""
    assert round(100 * EXPECTED["Swin-L"] / 198.58e6, 1) == 1.6
    assert round(100 * EXPECTED["Swin-B"] / 86.75e6, 1) == 2.8
    assert round(100 * EXPECTED["ViT-B"] / 85.8e6, 1) == 1.9


@pytest.mark.parametrize(("rank", "expected"), [(8, 164_544), (16, 333_696), (64, 1_638_912)])
def test_other_ranks(vit_b: Any, rank: int, expected: int) -> None:
    assert count(IconformerConfig(rank=rank), vit_b.anatomy) == expected


def test_every_part_by_hand(vit_b: Any) -> None:
    """Twelve blocks of width 768, 64 channels, nine taps."""

    def of(**fields: Any) -> int:
        return count(IconformerConfig(**fields), vit_b.anatomy)

    projections = 12 * (768 * 64 + 64 + 64 * 768 + 768)
    assert projections == 1_189_632  # AdaptFormer's
    assert of() - projections == 12 * (64 * 576 + 576)
    assert of(generator="conv_pool") - projections == 12 * (9 * 64 * 64 + 64)
    assert of(generator="conv_pool") == 1_632_768
    assert of(generator="se") - projections == 12 * (64 * 16 + 16 + 16 * 576 + 576)
    assert of(generator="static") - projections == 12 * 576
    assert of(kernel_norm="filter") - of() == 12 * 576
    assert of(learnable_scale=True) - of() == 12
    assert of(kernel_size=5) - projections == 12 * 25 * (64 * 64 + 64)
    assert of(kernel_size=1) - projections == 12 * (64 * 64 + 64)
    for same in (
        {"neighbours": 4},
        {"prefix_tokens": "centre_tap"},
        {"inner_residual": False},
        {"placement": "after_ffn"},
        {"activation": "gelu"},
        {"scale": 1.0},
    ):
        assert of(**same) == of()


def test_point_mae(host: Any) -> None:
    """Width 384 as ViT-S, nine neighbours as nine taps."""
    pytest.importorskip("onlay_pointcloud", reason="point backbones come with onlay-pointcloud")
    from onlay_pointcloud.backbones.build import adopt
    from onlay_pointcloud.network.point_mae import PointMae

    with torch.device("meta"):
        built: Any = adopt(PointMae(groups=128, group_size=32))
    assert count(IconformerConfig(), built.anatomy) == EXPECTED["ViT-S"]
    fewer = EXPECTED["ViT-S"] - 12 * 5 * (64 * 64 + 64)
    assert count(IconformerConfig(neighbours=4), built.anatomy) == fewer
    assert count(IconformerConfig(kernel_size=5), built.anatomy) == EXPECTED["ViT-S"]
    model = onlay.adapt(built, "iconformer", num_classes=7, host=host, verify=False)
    assert model.trainable_report().method == EXPECTED["ViT-S"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"rank": 3, "generator": "se"},
        {"rank": 1, "generator": "se", "kernel_size": 1},
        {"generator": "conv_pool", "kernel_norm": "filter", "kernel_size": 5},
        {"generator": "static", "learnable_scale": True, "placement": "after_attn"},
    ],
)
def test_attached_parameters_are_as_many_as_the_formula_says(fields: Any) -> None:
    config = IconformerConfig(**{"rank": 12} | fields)
    anatomy = tiny_backbone(width=16, depth=3).anatomy
    place = Placement(anatomy)
    attach(place, config)
    assert sum(p.numel() for p in place.adapter.parameters()) == count(config, anatomy)
