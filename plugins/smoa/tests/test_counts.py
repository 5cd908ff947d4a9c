"""Exact numbers of parameters: the presets, the specification's table, every part by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import onlay
from onlay.anatomy import Placement
from onlay.testing import tiny_backbone
from onlay_smoa.adapter import attach, count, library_count
from onlay_smoa.config import SmoaConfig
from onlay_smoa.presets import PRESETS


@pytest.fixture(scope="module")
def vit_b() -> Any:
    """ViT-B/16 without values."""
    pytest.importorskip("onlay_image", reason="the backbones are timm's: onlay-image")
    timm = pytest.importorskip("timm", reason="comes with onlay-image")
    from onlay_image.backbones.build import adopt

    with torch.device("meta"):
        return adopt(timm.create_model("vit_base_patch16_224", num_classes=0))


@pytest.fixture(scope="module")
def point_mae() -> Any:
    """Point-MAE's layout at full size, without values."""
    pytest.importorskip("onlay_pointcloud", reason="point backbones come with onlay-pointcloud")
    from onlay_pointcloud.backbones.build import adopt
    from onlay_pointcloud.network.point_mae import PointMae

    with torch.device("meta"):
        return adopt(PointMae(groups=128, group_size=32))


def report(built: Any, host: Any, classes: int, preset: str, **own: Any) -> Any:
    """What is attached, counted from its tensors."""
    recipe = PRESETS[preset]
    model = onlay.adapt(
        built,
        {"name": "smoa", **recipe["method"], **own},
        task=recipe.get("task", "classification"),
        num_classes=classes,
        host=host,
        verify=False,
    )
    counted = model.trainable_report()
    assert counted.trainable == sum(p.numel() for p in model.trained_parameters().values())
    model.detach()
    return counted


@pytest.mark.parametrize("classes", [10, 100])
def test_ax2d_vitb(vit_b: Any, host: Any, classes: int) -> None:
    counted = report(vit_b, host, classes, "ax2d_vitb")
    assert counted.method + counted.other == 171_393
    assert counted.trainable == 171_393 + 769 * classes
    assert counted.other == 18_432 + 768  # twelve norms, the class token
    assert counted.method == 133_120 + 512 + 128 + 1 + 18_432
    assert counted.backbone == 85_798_656
    assert round(100 * 171_393 / counted.backbone, 3) == 0.200


def test_without_the_last_prompt(vit_b: Any, host: Any) -> None:
    counted = report(vit_b, host, 10, "ax2d_vitb", last_prompt=False)
    assert counted.method + counted.other == 169_857


@pytest.mark.parametrize(
    ("preset", "classes", "adapter", "total"),
    [
        ("ax3d_uniform", 15, 152_961, 420_496),
        ("ax3d_uniform-obj_bg", 15, 152_961, 420_496),
        ("ax3d_uniform-modelnet40", 40, 152_961, 426_921),
        ("ax3d_dapt", 15, 48_649, 414_488),
        ("ax3d_dapt-obj_bg", 15, 48_649, 414_488),
        ("ax3d_dapt-modelnet40", 40, 48_649, 414_488 + 25 * 257),
    ],
)
def test_ax3d(
    point_mae: Any, host: Any, preset: str, classes: int, adapter: int, total: int
) -> None:
    counted = report(point_mae, host, classes, preset)
    assert (counted.method + counted.other, counted.trainable) == (adapter, total)
    assert counted.other == 9_216 + 768  # twelve norms, the class token and its position


def test_share_of_point_mae(point_mae: Any, host: Any) -> None:
    """The authors report 1.88 % of Point-MAE with its own head of 267,535."""
    counted = report(point_mae, host, 15, "ax3d_dapt")
    assert round(100 * counted.trainable / (counted.backbone + 267_535), 3) == 1.876


def test_every_part_of_ax2d_by_hand(vit_b: Any) -> None:
    full = dict(PRESETS["ax2d_vitb"]["method"])

    def less(**fields: Any) -> int:
        return 171_393 - count(SmoaConfig(**(full | fields)), vit_b.anatomy)

    # an expert: 64 to 64, ReLU, 64 to 64, with biases
    assert less(experts=15) == 2 * 64 * 64 + 64 + 64 + 8
    assert 16 * (2 * 64 * 64 + 64 + 64) == 133_120
    assert less(expert_bias=False) == 16 * 128
    assert less(query_width=7) == 64 + 16  # of the query's 512 and of the embeddings' 128
    assert less(block_norm=False) == 18_432 == 12 * 2 * 768
    assert less(prompts=False) == 18_432
    assert less(last_prompt=False) == 2 * 768
    assert less(class_token=False) == 768
    own = {"block_norm": False, "prompts": False, "class_token": False}
    assert less(**own) == 171_393 - 133_761
    assert less(sharing="none") == -11 * 133_761


@pytest.mark.parametrize(
    ("experts", "heads", "rank", "query_width", "library", "total"),
    [
        (16, 12, 64, 8, 133_761, 171_393),
        (8, 6, 64, 4, 133_153, 170_785),
        (4, 3, 64, 2, 132_873, 170_505),
        (4, 3, 64, 8, 134_433, 172_065),
        (8, 3, 32, 4, 134_433, 172_065),
        (16, 6, 32, 8, 134_785, 172_417),
        (32, 12, 32, 8, 134_913, 172_545),
    ],
)
def test_the_table_in_2d(
    vit_b: Any, experts: int, heads: int, rank: int, query_width: int, library: int, total: int
) -> None:
    config = SmoaConfig(experts=experts, heads=heads, rank=rank, query_width=query_width)
    assert library_count(768 // heads, config) == library
    assert count(config, vit_b.anatomy) == total
    place = Placement(vit_b.anatomy)
    attach(place, config)
    assert sum(p.numel() for p in place.adapter.parameters()) == total


@pytest.mark.parametrize(
    ("base", "experts", "heads", "rank", "query_width", "library"),
    [
        ("adaptformer", 16, 6, 64, 8, 133_761),
        ("dapt", 16, 1, 8, 16, 129_425),
        ("dapt", 8, 4, 16, 16, 29_449),
        ("dapt", 4, 2, 16, 16, 30_853),
        ("adaptformer", 8, 2, 8, 16, 29_377),
        ("adaptformer", 32, 4, 4, 16, 29_825),
    ],
)
def test_the_table_in_3d(
    point_mae: Any, base: Any, experts: int, heads: int, rank: int, query_width: int, library: int
) -> None:
    config = SmoaConfig(base=base, experts=experts, heads=heads, rank=rank, query_width=query_width)
    assert library_count(384 // heads, config) == library
    assert count(config, point_mae.anatomy) == library + 19_200
    place = Placement(point_mae.anatomy)
    attach(place, config)
    assert sum(p.numel() for p in place.adapter.parameters()) == library + 19_200


def test_swin_has_a_library_for_every_stage(host: Any) -> None:
    """Widths 96 to 768, in sub-tokens of 32: what a library holds is the same in all four; two
    norms' vectors for each of 2, 2, 6 and 2 blocks; no prompts, no class token."""
    pytest.importorskip("onlay_image", reason="the backbones are timm's: onlay-image")
    timm = pytest.importorskip("timm", reason="comes with onlay-image")
    with torch.device("meta"):
        swin = timm.create_model("swin_tiny_patch4_window7_224", num_classes=0)
    model = onlay.adapt(swin, "smoa", num_classes=3, host=host, verify=False)
    counted = model.trainable_report()
    library = 16 * (2 * 32 * 64 + 64 + 32) + 32 * 8 + 16 * 8 + 1
    assert (library, counted.method) == (67_457, 4 * 67_457)
    assert counted.other == 2 * (2 * 96 + 2 * 192 + 6 * 384 + 2 * 768)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"base": "dapt", "rank": 3},
        {"base": "adapter", "expert_bias": False},
        {"sharing": "none", "heads": 4},
        {"experts": 1, "heads": 1, "prompts": False},
        {"learn_temperature": False, "sharing": "none"},
        {"block_norm": False, "class_token": False, "last_prompt": False},
    ],
)
def test_attached_parameters_are_as_many_as_the_formula_says(fields: Any) -> None:
    config, anatomy = SmoaConfig(**{"rank": 12} | fields), tiny_backbone(width=16, depth=3).anatomy
    place = Placement(anatomy)
    attach(place, config)
    assert sum(p.numel() for p in place.adapter.parameters()) == count(config, anatomy)
