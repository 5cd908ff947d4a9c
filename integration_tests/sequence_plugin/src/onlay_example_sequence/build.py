"""From settings, or from a network that somebody already holds, to a backbone."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from onlay.anatomy import BuiltBackbone
from onlay.errors import BundleError
from onlay.reading.statefile import read_state
from onlay_example_sequence.anatomy import dissect
from onlay_example_sequence.config import SmallSequenceConfig, provides
from onlay_example_sequence.network import SmallSequence
from onlay_example_sequence.words import FIRST


def build(config: SmallSequenceConfig) -> BuiltBackbone:
    """The network with its weights; a bundle keeps `config` to build it again."""
    sizes = config.model_dump(include={"items", "length", "width", "depth", "heads"})
    with torch.random.fork_rng(devices=[]):  # nobody else's random numbers move
        torch.manual_seed(0)
        model = SmallSequence(**sizes)
    if config.weights is not None:
        _load(model, config.weights)
    return _built(model, config.model_dump(mode="json"))


def adopt(module: nn.Module) -> BuiltBackbone | None:
    """A network of this package as it is, for `onlay.adapt(module, ...)`; else `None`."""
    return _built(module, {}) if isinstance(module, SmallSequence) else None


def _built(model: SmallSequence, source: dict[str, Any]) -> BuiltBackbone:
    items = [f"item_{number}" for number in range(model.vocabulary - FIRST)]
    return BuiltBackbone(
        module=model.eval(),
        anatomy=dissect(model, provides(SmallSequenceConfig())),
        modality="sequence",
        input_spec={"vocabulary": items, "length": model.length},
        source=source,
        label="small_sequence",
    )


def _load(model: SmallSequence, path: Path) -> None:
    state, own = read_state(path), model.state_dict()
    odd = sorted(state.keys() ^ own.keys())
    odd += [name for name in own if not odd and state[name].shape != own[name].shape]
    if odd:
        text = f"`{odd[0]}` is missing, unexpected or of another shape"
        raise BundleError(f"`{path}` does not fit the network: {text}")
    model.load_state_dict(state)
