"""What is said of every picture without a look at it; numbers by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from onlay_dense.depth.head import DepthHead
from onlay_dense.segmentation.head import SegmentationHead


def test_the_class_of_most_pixels_is_everywhere() -> None:
    head: Any = SimpleNamespace(labels=("sky", "road", "tree"))
    masks = [torch.tensor([[1, 1], [-1, 2]]), torch.tensor([[0, 2], [2, -1]])]
    constant = SegmentationHead.constant(head, masks)
    output_BCHW = constant.outputs(torch.zeros(2, 3, 4, dtype=torch.long))
    assert output_BCHW.shape == (2, 3, 3, 4)
    assert output_BCHW.argmax(1).unique().tolist() == [2]


def test_the_mean_depth_is_of_known_pixels_alone() -> None:
    head: Any = SimpleNamespace(config=SimpleNamespace(min=0.5, max=10.0))
    depths = [torch.tensor([[0.0, 2.0], [3.0, 99.0]]), torch.tensor([[7.0, 0.0]])]
    output_BHW = DepthHead.constant(head, depths).outputs(torch.ones(2, 3, 4))
    assert output_BHW.shape == (2, 3, 4)
    assert output_BHW.unique().tolist() == pytest.approx([4.0])
