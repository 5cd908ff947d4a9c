"""What is said of every cloud without a look at it; numbers by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from onlay_pointcloud.tasks.point_segmentation import PointSegmentationHead
from onlay_pointcloud.tasks.segmentation import PartSegmentationHead


def test_the_class_of_most_points_is_everywhere_in_blocks_of_scenes_too() -> None:
    head: Any = SimpleNamespace(labels=("wall", "floor", "door"))
    blocks = [{"classes": torch.tensor([1, 1, 0])}, {"classes": torch.tensor([-1, -1, 2])}]
    constant = PointSegmentationHead.constant(head, blocks)
    output_BNC = constant.outputs({"classes": torch.zeros(2, 5, dtype=torch.long)})
    assert output_BNC.shape == (2, 5, 3)
    assert output_BNC.argmax(-1).unique().tolist() == [1]


def test_each_category_has_its_most_frequent_part() -> None:
    """Parts 0 and 1 make chairs, 2 and 3 lamps; most frequent are 1 and 2."""
    miou = pytest.importorskip("onlay_pointcloud.tasks.miou")
    head: Any = SimpleNamespace(labels=("leg", "seat", "shade", "foot"))
    clouds = [torch.tensor([0, 1, 1]), torch.tensor([2, 2, 3])]
    constant = PartSegmentationHead.constant(head, clouds)
    judged = torch.tensor([[1, 1, 0, 1], [2, 3, 3, 3]])
    accuracy = miou.PointAccuracy([0, 0, 1, 1])
    accuracy.update(constant.outputs(judged), judged)
    assert accuracy.compute().item() == pytest.approx((3 + 1) / 8)
