"""A small convolutional network without pretraining: what comparisons train from scratch, to see
whether a pretrained backbone pays."""

from __future__ import annotations

import torch

from onlay.anatomy import BuiltBackbone
from onlay_image.anatomy.convolutions import dissect_convolutions
from onlay_image.backbones.channels import spread
from onlay_image.backbones.config import SmallCnnConfig
from onlay_image.backbones.sizes import pair
from onlay_image.network.small_cnn import SmallCnn

MEAN = STD = (0.5, 0.5, 0.5)


def build(config: SmallCnnConfig) -> BuiltBackbone:
    """The network with random weights, the same every time; method `full` with `start: random`
    draws them anew by the run's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = SmallCnn(config.in_chans)
    size = pair(config.img_size)
    return BuiltBackbone(
        module=model.eval(),
        anatomy=dissect_convolutions(model, size),
        modality="image",
        input_spec={
            "img_size": list(size),
            "dynamic_img_size": True,
            "resize": "crop",
            "crop_pct": 1.0,
            "interpolation": "bicubic",
            "mean": spread(MEAN, config.in_chans),
            "std": spread(STD, config.in_chans),
            "in_chans": config.in_chans,
        },
        source=config.model_dump(mode="json"),
        label=config.name,
    )
