"""What an adapter does to one input: the signals that its modules show.

A module that has something to show for each token has a class attribute `shown`, the signal's name
for people, and gives (B, T, 1) or (B, T).

Shapes: B batch, T tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from inlay.descriptors import resolve
from inlay.errors import ConfigError
from inlay.predict import files_of

if TYPE_CHECKING:
    from inlay.adapted import AdaptedModel
    from inlay.features import Features
    from inlay.host import PluginHost


@dataclass(frozen=True)
class Signal:
    """One number for each token of one input."""

    name: str
    """For people: `per-token scale`."""
    block: int
    values_T: Tensor
    """(T,), of the tokens at that block: the patches are the last ones."""


@dataclass(frozen=True)
class Observation:
    """One input and what became of it; what a modality's viewer draws."""

    source: Path
    inputs: Tensor
    """As the backbone got it, a batch of one."""
    features: Features
    prediction: Any
    """What the task's head says, such as `inlay.task.Prediction`."""
    signals: tuple[Signal, ...]


def observe(model: AdaptedModel, source: Path, inputs: Tensor) -> Observation:
    """Run one input (a batch of one) and record what the adapter's modules show."""
    found: list[Signal] = []
    levels = getattr(model.head, "levels", ())
    inserted = model.adapter.tokens
    model.eval().attachments.activate(model.name)
    with torch.no_grad(), _recorded(model.adapter, found):
        features = model.anatomy.encode(inputs, inserted=inserted, levels=levels)
        output = model.head(features)
    return Observation(source, inputs, features, model.head.predict(output)[0], tuple(found))


def observed(model: AdaptedModel, paths: Sequence[Path], host: PluginHost) -> Iterator[Observation]:
    """Observe files one by one, prepared as in training; a folder stands for the files in it."""
    modality = host.find("modality", model.built.modality)
    read = resolve(modality.reader)(model.preprocessing)
    device = next(model.parameters()).device
    for file in files_of(paths, modality):
        yield observe(model, file, read(file).unsqueeze(0).to(device))


def view(model: AdaptedModel, observation: Observation, out: Path, host: PluginHost) -> None:
    """Write the page of the modality.

    Raises:
        ConfigError: the modality draws none.
    """
    modality = host.find("modality", model.built.modality)
    if modality.viewer is None:
        raise ConfigError(f"there is no page to look at for `{modality.name}` inputs yet")
    out.parent.mkdir(parents=True, exist_ok=True)
    resolve(modality.viewer)(observation, out)


@contextmanager
def _recorded(adapter: nn.Module, found: list[Signal]) -> Iterator[None]:
    handles = [
        module.register_forward_hook(_Recorder(_block_of(path), found).record)
        for path, module in adapter.named_modules()
        if hasattr(module, "shown")
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _block_of(path: str) -> int:
    """`blocks.3.mlp_out.branches.0.scale` is of block 3."""
    named = re.search(r"blocks\.(\d+)\.", path)
    return int(named[1]) if named else 0


class _Recorder:
    def __init__(self, block: int, found: list[Signal]) -> None:
        self.block, self.found = block, found

    def record(self, module: Any, args: tuple[Any, ...], output: Tensor) -> None:
        values_T = output[0].detach().float().flatten().cpu()
        self.found.append(Signal(module.shown, self.block, values_T))
