"""Exact numbers of parameters: the published configurations, and what is really attached."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import onlay
from onlay.anatomy import Placement
from onlay.testing import tiny_backbone
from onlay_dapt.adapter import attach, count
from onlay_dapt.config import DaptConfig
from onlay_dapt.presets import PRESETS


@pytest.fixture
def built() -> Any:
    """Point-MAE's layout at full size, without values."""
    pytest.importorskip("onlay_pointcloud", reason="point backbones come with onlay-pointcloud")
    from onlay_pointcloud.backbones.build import adopt
    from onlay_pointcloud.network.point_mae import PointMae

    with torch.device("meta"):
        return adopt(PointMae(groups=128, group_size=32))


@pytest.mark.parametrize(
    ("preset", "classes", "trainable", "total"),
    [
        ("obj_bg", 15, 1_087_771, 22_912_795),
        ("obj_only", 15, 989_467, 22_814_491),
        ("pb_t50_rs", 15, 1_087_771, 22_912_795),
        ("modelnet40", 40, 1_069_716, 22_894_740),
    ],
)
def test_published_counts(
    preset: str, classes: int, trainable: int, total: int, built: Any, host: Any
) -> None:
    recipe = PRESETS[preset]
    model = onlay.adapt(
        built,
        {"name": "dapt", **recipe["method"]},
        task=recipe["task"],
        num_classes=classes,
        host=host,
        verify=False,
    )
    report = model.trainable_report()
    assert report.trainable == trainable
    assert report.other == 768  # class token and its position
    # the authors' "total" counts class token and position once: they are the backbone's own
    assert report.backbone + report.method + report.head == total


def test_pieces_of_the_count(built: Any) -> None:
    adapters = 12 * 50_753
    no_prompts = DaptConfig(prompts=False, scale_and_shift=False)
    assert count(no_prompts, built.anatomy) == adapters + 768
    assert count(DaptConfig(scale_and_shift=False), built.anatomy) == adapters + 768
    assert count(DaptConfig(), built.anatomy) == adapters + 112_128 + 768
    # without prompts, a pair of 384 less in each of twelve blocks
    assert count(DaptConfig(prompts=False), built.anatomy) == adapters + 112_128 - 9_216 + 768
    assert count(DaptConfig(rank=72, scale_and_shift=False), built.anatomy) == 682_860 + 768


def test_part_segmentation_by_our_reading() -> None:
    """425,868 beside the decoder's 5,238,706; without a class token."""
    pytest.importorskip("onlay_pointcloud", reason="point backbones come with onlay-pointcloud")
    from onlay_pointcloud.backbones.build import adopt
    from onlay_pointcloud.network.point_mae import PointMae

    with torch.device("meta"):
        built = adopt(PointMae(groups=128, group_size=32, class_token=False))
    assert built is not None
    config = DaptConfig(**PRESETS["shapenet_part"]["method"])
    assert count(config, built.anatomy) == 425_868 == 5_664_574 - 5_238_706


@pytest.mark.parametrize(
    "fields",
    [
        {"rank": 16},
        {"rank": 5, "prompts": False},
        {"rank": 5, "scale_and_shift": False},
        {"rank": 3, "freeze_bn": True},
    ],
)
def test_attached_parameters_are_as_many_as_the_formula_says(fields: Any) -> None:
    config, anatomy = DaptConfig(**fields), tiny_backbone(width=16, depth=3).anatomy
    place = Placement(anatomy)
    attach(place, config)
    assert sum(p.numel() for p in place.adapter.parameters()) == count(config, anatomy)
