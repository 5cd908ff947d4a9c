"""State dicts of other people's code, read without running anything that is in them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from onlay.errors import BundleError

NESTED = ("model", "state_dict")


def read_state(path: Path, *, within: Sequence[str] = NESTED) -> dict[str, Tensor]:
    """Tensors of a safetensors or torch file, plain or under the first key of `within` that it has.

    Raises `BundleError` for a file that is missing, truncated, unsafe or holds something else.
    """
    if not path.is_file():
        raise BundleError(f"there is no file `{path}`; give a `.safetensors` or a torch file")
    try:
        content = load(path)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise BundleError(
            f"`{path}` cannot be read as tensors (truncated, or it holds more than tensors);"
            " save the plain `model.state_dict()` and import that"
        ) from error
    return only_tensors(unnest(content, within), path)


def load(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def unnest(content: Any, within: Sequence[str]) -> Any:
    for key in within:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            return content[key]
    return content


def only_tensors(content: Any, path: Path) -> dict[str, Tensor]:
    if not isinstance(content, Mapping) or not content:
        raise BundleError(
            f"`{path}` holds no state dict; save `model.state_dict()` and import that"
        )
    others = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if others:
        raise BundleError(f"`{path}` holds more than tensors: `{others[0]}` is none")
    return dict(content)
