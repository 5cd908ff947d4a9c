"""The backbone inside the wheel."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors.torch import load_file
from torch import nn

from onlay.anatomy import BuiltBackbone
from onlay.errors import BundleError
from onlay_pointcloud import bundled
from onlay_pointcloud.backbones.build import SHARED, built, empty
from onlay_pointcloud.backbones.checkpoints import load_weights
from onlay_pointcloud.backbones.config import BundledConfig


def build(config: BundledConfig) -> BuiltBackbone:
    """The pretrained network in float32.

    Raises:
        BundleError: the installed file is not the one that was released, or `config.weights` is no
            checkpoint of this network; names the tensors.
    """
    architecture = {k: v for k, v in bundled.ARCHITECTURE.items() if k not in SHARED}
    model = empty(config, **architecture)
    if config.weights is None:
        _load_released(model)
    else:
        load_weights(model, config)
    return built(model, config, bundled.NORMALIZE)


def _load_released(model: nn.Module) -> None:
    path = bundled.weights_path()
    _check(path)
    state = {name: t.float() if t.is_floating_point() else t for name, t in load_file(path).items()}
    model.load_state_dict(state)


def _check(path: Path) -> None:
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != bundled.SHA256:
        raise BundleError(
            f"the bundled weights `{path}` are missing or damaged; install `onlay-pointcloud` again"
        )
