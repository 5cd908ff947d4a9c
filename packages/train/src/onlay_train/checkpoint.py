"""The `last` checkpoint: trained tensors, optimizer, schedule, position, generators; no backbone.

One file, written beside and renamed, read with `weights_only=True`: a pickle of code is refused.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from onlay.errors import BundleError, PluginError, RunError

FORMAT = 1
_PLAIN = (Tensor, str, int, float, bool, type(None))


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write `state` so that a reader sees the old file or the new one, whatever happens meanwhile.

    Raises:
        RunError: a trained tensor is not finite; the file on disk stays as it is.
        PluginError: `state` holds something that could not be read back without running code.
    """
    broken = [name for name, tensor in state["trained"].items() if not _finite(tensor)]
    if broken:
        raise RunError(
            f"`{broken[0]}` is no longer finite at step {state['progress']['step']}:"
            " lower `train.lr`, or set `train.clip_grad`; the checkpoint before is kept"
        )
    _check_plain(state, "")
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        torch.save({"format": FORMAT, **state}, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Raises:
        BundleError: the file is truncated, foreign, or from a newer version.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise BundleError(
            f"`{path}` is no checkpoint of onlay or is damaged: delete it to start the run again"
        ) from error
    found = state.get("format") if isinstance(state, dict) else None
    if found != FORMAT:
        raise BundleError(
            f"`{path}` has checkpoint format {found}, this version of onlay-train reads {FORMAT}:"
            " install the version that wrote it, or delete it to start the run again"
        )
    return state


def gathered(tree: Any) -> Any:
    """A nested state with sharded tensors made whole, on the CPU; every process must call it."""
    if isinstance(tree, DTensor):
        tree = tree.full_tensor()
    if isinstance(tree, Tensor):
        return tree.detach().to("cpu", copy=True)
    if isinstance(tree, Mapping):
        return {key: gathered(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [gathered(value) for value in tree]
    return tree


def placed_like(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor sharded as `like` is, if it is."""
    if isinstance(like, DTensor) and tensor.shape == like.shape:
        return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)
    return tensor


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load a gathered optimizer state into one whose parameters may be sharded."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    moments = {
        index: {
            key: placed_like(value, parameters[index]) if isinstance(value, Tensor) else value
            for key, value in slots.items()
        }
        for index, slots in state["state"].items()
    }
    optimizer.load_state_dict({"state": moments, "param_groups": state["param_groups"]})


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _check_plain(value: Any, where: str) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _check_plain(inner, f"{where}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _check_plain(inner, f"{where}.{index}")
    elif not isinstance(value, _PLAIN):
        raise PluginError(
            f"checkpoint key `{where}` holds a `{type(value).__name__}`:"
            " only tensors, numbers, text, lists and mappings of them can be kept"
        )
