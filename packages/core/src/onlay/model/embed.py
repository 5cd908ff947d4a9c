"""Vectors of files: the features of an adapted model, pooled.

Shapes: B batch, D width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from onlay.errors import ConfigError
from onlay.machine.notes import note_all
from onlay.model.pieces import InPieces
from onlay.model.predict import files_of, modality_of, readable
from onlay.model.preprocessing import reader
from onlay.tasks.pooled import pooled

if TYPE_CHECKING:
    from onlay.features import Features
    from onlay.host import PluginHost
    from onlay.model.adapted import AdaptedModel
    from onlay.model.predict import Unreadable

Vectors = dict[str, Tensor]
"""(B, D) on the CPU as float32, by the names of pools."""


def embed(
    model: AdaptedModel,
    paths: Sequence[Path],
    host: PluginHost,
    *,
    pools: Sequence[str] = (),
    batch_size: int = 32,
    unreadable: list[Unreadable] | None = None,
) -> Iterator[tuple[list[Path], Vectors]]:
    """Batches of files with their vectors, in order; files are found and prepared as by `predict`.

    Without `pools` they are all that there are of `cls`, `mean` and `prompts`.

    Raises:
        DataError: a file that is not there or cannot be read, which it names; an empty folder.
        AnatomyError: a pool that this model does not give out.
    """
    modality = modality_of(model, host)
    read = reader(modality, model.preprocessing)
    device = next(model.parameters()).device
    model.eval()
    inputs = readable(files_of(paths, modality), read, unreadable)
    while pairs := list(islice(inputs, batch_size)):
        refuse_pieces([given for _, given in pairs])
        inputs_B = torch.stack([tensor for _, tensor in pairs]).to(device)
        with torch.inference_mode():
            features = model.features(inputs_B, levels=getattr(model.head, "levels", ()))
        yield [file for file, _ in pairs], vectors(features, pools or given(features))
    note_all(read)


def refuse_pieces(inputs: Sequence[Any]) -> None:
    """Raise a `ConfigError` where files are read in pieces."""
    if any(isinstance(one, InPieces) for one in inputs):
        raise ConfigError(
            "the files of this model are cut into pieces, each of which would have a vector of its"
            " own: there is no one vector for a file"
        )


def given(features: Features) -> tuple[str, ...]:
    """What there is of `cls`, `mean` and `prompts`."""
    there = {"cls": features.cls is not None, "mean": True, "prompts": features.prompts.shape[1]}
    return tuple(name for name, is_there in there.items() if is_there)


def vectors(features: Features, pools: Sequence[str]) -> Vectors:
    """One vector of each input for each pool."""
    return {pool: pooled(features, pool).float().cpu() for pool in pools}
