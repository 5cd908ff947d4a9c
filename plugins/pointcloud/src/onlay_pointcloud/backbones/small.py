"""A small PointNet without pretraining: what comparisons train from scratch, to see whether a
pretrained backbone pays."""

from __future__ import annotations

import torch

from onlay.anatomy import BuiltBackbone
from onlay_pointcloud.anatomy.pointwise import dissect_pointwise
from onlay_pointcloud.backbones.config import SmallPointNetConfig
from onlay_pointcloud.network.small_pointnet import SmallPointNet


def build(config: SmallPointNetConfig) -> BuiltBackbone:
    """The network with random weights, the same every time; method `full` with `start: random`
    draws them anew by the run's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = SmallPointNet()
    return BuiltBackbone(
        module=model.eval(),
        anatomy=dissect_pointwise(model, config.npoints),
        modality="points",
        input_spec={"npoints": config.npoints, "normalize": "unit_sphere"},
        source=config.model_dump(mode="json"),
        label=config.name,
    )
