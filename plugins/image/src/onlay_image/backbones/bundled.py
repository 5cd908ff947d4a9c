"""The backbone inside the wheel."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import timm
from safetensors.torch import load_file
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn

from onlay.anatomy import BuiltBackbone
from onlay.errors import BundleError
from onlay_image import bundled
from onlay_image.anatomy import dissect
from onlay_image.backbones.channels import fit_channels, spread
from onlay_image.backbones.config import BundledConfig
from onlay_image.backbones.sizes import pair, rounded_up
from onlay_image.backbones.stem import with_positions, with_stem

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
    model.load_state_dict(checkpoint_filter_fn(with_positions(state, model), model))
    return BuiltBackbone(
        module=model,
        anatomy=dissect(model),
        modality="image",
        input_spec={
            "img_size": list(_asked(config)),
            "dynamic_img_size": config.dynamic_img_size,
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


def _empty(config: BundledConfig) -> VisionTransformer:
    patch = bundled.ARCHITECTURE["patch_size"]
    own: dict[str, Any] = with_stem(bundled.ARCHITECTURE) | {
        "img_size": rounded_up(_asked(config), (patch, patch))
    }
    made: Any = timm.create_model(
        TIMM_NAME,
        drop_path_rate=config.drop_path,
        in_chans=config.in_chans,
        dynamic_img_size=config.dynamic_img_size,
        **own,
    )
    return made


def _asked(config: BundledConfig) -> tuple[int, int]:
    return pair(config.img_size or bundled.ARCHITECTURE["img_size"])


def _check(path: Path) -> None:
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != bundled.SHA256:
        raise BundleError(
            f"the bundled weights `{path}` are missing or damaged; install `onlay-image` again"
        )
