"""The backbone inside the wheel."""

from __future__ import annotations

import hashlib
from pathlib import Path

import timm
from safetensors.torch import load_file
from torch import nn

from onlay.anatomy import BuiltBackbone
from onlay.errors import BundleError
from onlay_image import bundled
from onlay_image.anatomy import dissect
from onlay_image.backbones.channels import fit_channels, spread
from onlay_image.backbones.config import BundledConfig

TIMM_NAME = "vit_tiny_patch16_224"
"""What timm calls the network of which this is a smaller one."""


def build(config: BundledConfig) -> BuiltBackbone:
    """The pretrained network in float32.

    Raises:
        BundleError: the installed file is not the one that was released.
    """
    path = bundled.weights_path()
    _check(path)
    model = _empty(config)
    state = {name: half.float() for name, half in load_file(path).items()}
    fit_channels(state, config.in_chans)
    model.load_state_dict(state)
    size = bundled.ARCHITECTURE["img_size"]
    return BuiltBackbone(
        module=model,
        anatomy=dissect(model),
        modality="image",
        input_spec={
            "img_size": [size, size],
            "dynamic_img_size": False,
            "resize": "crop",
            "crop_pct": 1.0,
            "interpolation": bundled.INTERPOLATION,
            "mean": spread(bundled.MEAN, config.in_chans),
            "std": spread(bundled.STD, config.in_chans),
            "in_chans": config.in_chans,
        },
        source=config.model_dump(mode="json"),
        label=config.name,
    )


def _empty(config: BundledConfig) -> nn.Module:
    return timm.create_model(
        TIMM_NAME,
        drop_path_rate=config.drop_path,
        in_chans=config.in_chans,
        **bundled.ARCHITECTURE,
    )


def _check(path: Path) -> None:
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != bundled.SHA256:
        raise BundleError(
            f"the bundled weights `{path}` are missing or damaged; install `onlay-image` again"
        )
