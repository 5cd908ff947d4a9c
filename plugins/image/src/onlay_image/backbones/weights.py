"""Local checkpoints: safetensors, torch files without unpickling, the `.npz` of Google's ViT."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from timm.models import VisionTransformer
from torch import Tensor

from onlay.errors import BundleError, ConfigError
from onlay.machine.notes import note
from onlay.reading.statefile import UNREADABLE, check_values, read_state, unwrapped
from onlay_image.anatomy.sequence import HEADS
from onlay_image.backbones.channels import channels_of, fit_channels
from onlay_image.backbones.npz import load_npz
from onlay_image.backbones.stem import with_positions
from onlay_image.timm_types import TimmModule

_SHOWN = 3


def load_weights(model: TimmModule, path: Path) -> None:
    """Load a checkpoint of the same architecture; timm interpolates position embeddings to the
    model's grid.

    A classifier in the file is left out.

    Raises:
        ConfigError: there is no such file.
        BundleError: it cannot be read, or its tensors are another architecture's; names a few of
            them.
    """
    if not path.is_file():
        raise ConfigError(f"there is no file `{path}` to load weights from")
    try:
        if path.suffix.lower() == ".npz":
            load_npz(model, path)
        else:
            _load_state(model, path)
    except BundleError:
        raise
    except UNREADABLE as error:
        raise BundleError(
            f"`{path}` cannot be read as weights of this `{type(model).__name__}`: it is truncated,"
            " or in a layout that timm does not know"
        ) from error


def _load_state(model: TimmModule, path: Path) -> None:
    convert = sys.modules[type(model).__module__].checkpoint_filter_fn
    if type(model) is VisionTransformer:
        convert = partial(convert, adapt_layer_scale=True)  # official DeiT-3 files say `gamma_1`
    found = unwrapped(read_state(path), model.state_dict(), path)
    state = convert(with_positions(found, model), model)
    _tell_of_positions(path, found.get("pos_embed"), state.get("pos_embed"))
    state = {name: tensor for name, tensor in state.items() if not name.startswith(HEADS)}
    fit_channels(state, channels_of(model))
    own = {name: t for name, t in model.state_dict().items() if not name.startswith(HEADS)}
    refuse_differences(path, model, own, state)
    check_values(own, state, path)
    model.load_state_dict(state, strict=False)


def _tell_of_positions(path: Path, found: Tensor | None, fitted: Tensor | None) -> None:
    """A table does not tell the shape that it was learnt on; timm takes a square."""
    if found is None or fitted is None or found.shape != fitted.shape:
        return
    if not torch.equal(found, fitted):
        note(
            f"`{path}`: its positions are taken as learnt on a square of patches, and fitted to"
            " this `img_size`, which has as many"
        )


def refuse_differences(
    path: Path, model: TimmModule, own: Mapping[str, Tensor], found: Mapping[str, Tensor]
) -> None:
    """Raise a `BundleError` that names a few of the tensors which are missing, unexpected or of
    another shape.
    """
    problems = [
        f"`{n}` is {tuple(found[n].shape)} and should be {tuple(t.shape)}"
        for n, t in own.items()
        if n in found and found[n].shape != t.shape
    ]
    problems += [f"`{n}` is missing" for n in own if n not in found]
    problems += [f"`{n}` is unexpected" for n in found if n not in own]
    if problems:
        more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise BundleError(
            f"`{path}` is a checkpoint of another architecture than this `{type(model).__name__}`:"
            f" {', '.join(problems[:_SHOWN])}{more}"
        )
