"""From settings, or from a network that somebody already holds, to a backbone."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from onlay.anatomy import BuiltBackbone
from onlay.errors import BundleError
from onlay.reading.statefile import read_state
from onlay_example_sequence.anatomy import dissect
from onlay_example_sequence.config import NextItNetConfig, SmallSequenceConfig
from onlay_example_sequence.convolutions import NextItNet
from onlay_example_sequence.network import SmallSequence
from onlay_example_sequence.words import FIRST

Network = SmallSequence | NextItNet
SIZES = {"items", "length", "width", "depth", "heads", "dilations"}


def build(config: SmallSequenceConfig | NextItNetConfig) -> BuiltBackbone:
    """The network with its weights; a bundle keeps `config` to build it again, from
    whatever folder."""
    network = NextItNet if isinstance(config, NextItNetConfig) else SmallSequence
    with torch.random.fork_rng(devices=[]):  # nobody else's random numbers move
        torch.default_generator.manual_seed(0)
        model = network(**config.model_dump(include=SIZES))
    if config.weights is not None:
        weights = config.weights.resolve()
        config = config.model_copy(update={"weights": weights})
        _load(model, weights)
    return _built(model, config.model_dump(mode="json"), config.name)


def adopt(module: nn.Module) -> BuiltBackbone | None:
    """A network of this package as it is, for `onlay.adapt(module, ...)`; else `None`."""
    if not isinstance(module, Network):
        return None
    return _built(module, {}, "nextitnet" if isinstance(module, NextItNet) else "small_sequence")


def _built(model: Network, source: dict[str, Any], label: str) -> BuiltBackbone:
    items = [f"item_{number}" for number in range(model.vocabulary - FIRST)]
    return BuiltBackbone(
        module=model.eval(),
        anatomy=dissect(model),
        modality="sequence",
        input_spec={"vocabulary": items, "length": model.length},
        source=source,
        label=label,
    )


def _load(model: Network, path: Path) -> None:
    state, own = read_state(path), model.state_dict()
    odd = sorted(state.keys() ^ own.keys())
    odd += [name for name in own if not odd and state[name].shape != own[name].shape]
    if odd:
        text = f"`{odd[0]}` is missing, unexpected or of another shape"
        raise BundleError(f"`{path}` does not fit the network: {text}")
    model.load_state_dict(state)
