"""From settings, or from a network that somebody already holds, to a backbone."""

from pathlib import Path
from typing import Any

import torch
from onlay.anatomy import BuiltBackbone
from onlay.errors import BundleError
from onlay.reading.statefile import read_state
from torch import nn

from .anatomy import dissect
from .config import PATCH, MyBackboneConfig
from .network import SmallVit

# What the network was pretrained to read, for data sets to prepare; other keys are fine.
PREPARED = {
    "dynamic_img_size": False,
    "resize": "crop",
    "crop_pct": 1.0,
    "interpolation": "bicubic",
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
}


def build(config: MyBackboneConfig) -> BuiltBackbone:
    """The network with its weights; a bundle keeps `config` to build it again, from whatever
    folder."""
    with torch.random.fork_rng(devices=[]):  # nobody else's random numbers move
        torch.default_generator.manual_seed(0)
        model = SmallVit(
            img_size=config.img_size,
            patch=PATCH,
            width=config.width,
            depth=config.depth,
            heads=config.heads,
        )
    if config.weights is not None:
        weights = config.weights.resolve()
        config = config.model_copy(update={"weights": weights})
        _load(model, weights)
    return _built(model, config.model_dump(mode="json"))


def adopt(module: nn.Module) -> BuiltBackbone | None:
    """A network of this package as it is, for `onlay.adapt(module, ...)`; else `None`."""
    return _built(module, {}) if isinstance(module, SmallVit) else None


def _built(model: SmallVit, source: dict[str, Any]) -> BuiltBackbone:
    return BuiltBackbone(
        module=model.eval(),
        anatomy=dissect(model),
        modality="image",
        input_spec={"img_size": [model.img_size, model.img_size], **PREPARED},
        source=source,
        label="my_backbone",
    )


def _load(model: SmallVit, path: Path) -> None:
    """Every tensor, or an error that names one."""
    state, own = read_state(path), model.state_dict()
    odd = sorted(state.keys() ^ own.keys())
    odd += [name for name in own if not odd and state[name].shape != own[name].shape]
    if odd:
        text = f"`{odd[0]}` is missing, unexpected or of another shape"
        raise BundleError(f"`{path}` does not fit the network: {text}")
    model.load_state_dict(state)
