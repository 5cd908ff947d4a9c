"""The `last` checkpoint: trained tensors, optimizer, schedule, position, generators; no backbone.

One file, as `torch.save` writes it, with a line behind it that holds the SHA-256 of all before; it
is written beside and renamed, and the one before it is kept. Read with `weights_only=True`: a
pickle of code is refused.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections import UserDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Self

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from onlay.errors import BundleError, DivergedError, PluginError
from onlay.machine.disk import replacing, writing
from onlay.machine.system import open_plain, replace

FORMAT = 1
_FORMAT_KEY = "format"
_PLAIN = (Tensor, str, int, float, bool, type(None))
_SEAL = b"\nonlay checkpoint, sha256 of all before: "
_SEALED = len(_SEAL) + 64 + 1
"""Bytes behind what torch wrote: the words, 64 hexadecimal digits, a line end."""


class Growing(UserDict[str, Any]):
    """A checkpoint's content as plugins see it before it is written: keys may be added, and none
    that is there may be changed."""

    def __setitem__(self, key: str, item: Any) -> None:
        if key in self or key == _FORMAT_KEY:
            raise ValueError(f"a checkpoint has a key `{key}` already; add one of your own")
        super().__setitem__(key, item)

    def __delitem__(self, key: str) -> None:
        raise ValueError(f"a checkpoint needs its key `{key}`")

    def __ior__(self, other: Any) -> Self:
        self.update(other)
        return self


class Damaged(BundleError):
    """A checkpoint whose bytes are not those that were written, or that is gone."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: delete it to start the run again")
        self.what = what


def save_checkpoint(state: dict[str, Any], path: Path, *, former: Path | None = None) -> None:
    """Write `state` so that a reader finds a whole checkpoint, whatever happens meanwhile; the one
    before becomes `former`.

    Raises:
        DivergedError: a trained tensor is not finite; what is on disk stays as it is.
        RunError: the file cannot be written; likewise.
        PluginError: `state` holds something that could not be read back without running code.
    """
    broken = [name for name, tensor in state["trained"].items() if not _finite(tensor)]
    if broken:
        raise DivergedError(
            f"`{broken[0]}` is no longer finite at step {state['progress']['step']}:"
            " lower `train.lr`, or set `train.clip_grad`; the checkpoint before is kept"
        )
    _check_plain(state, "")
    with replacing(path) as file:
        sealed: Any = Sealed(file)  # all of a file that torch asks for
        torch.save({_FORMAT_KEY: FORMAT, **state}, sealed)
        sealed.close()
        file.flush()
        if former is not None and path.exists():
            with writing(former):
                replace(path, former)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Raises:
        Damaged: not every bit is as it was written, or Onlay did not write it.
        BundleError: the file is from a newer version.
    """
    content = _whole(path)
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise _damaged(path) from error
    found = state.get("format") if isinstance(state, dict) else None
    if found != FORMAT:
        raise BundleError(
            f"`{path}` has checkpoint format {found}, this version of onlay-train reads {FORMAT}:"
            " install the version that wrote it, or delete it to start the run again"
        )
    return state


class Sealed(io.RawIOBase):
    """A file that hashes what goes through it.

    A failure to write is kept for `close`: raised inside torch's writer it would lose its words.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.digest = file, hashlib.sha256()
        self.failure: OSError | None = None

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        size = memoryview(content).nbytes
        self.digest.update(content)
        try:
            if self.failure is None:
                self.file.write(content)
        except OSError as error:
            self.failure = error
        return size

    def close(self) -> None:
        """Write the line with the hash."""
        super().close()
        if self.failure is not None:
            raise self.failure
        self.file.write(_SEAL + self.digest.hexdigest().encode() + b"\n")


def _whole(path: Path) -> bytes:
    """What torch wrote, if every bit is as it was."""
    try:
        with open_plain(path) as file:
            content = file.read()
    except OSError as error:
        reason = error.strerror or "it is no plain file"
        raise Damaged(f"`{path}` cannot be read ({reason})") from error
    body, seal = content[:-_SEALED], content[-_SEALED:]
    if seal != _SEAL + hashlib.sha256(body).hexdigest().encode() + b"\n":
        raise _damaged(path)
    return body


def _damaged(path: Path) -> Damaged:
    return Damaged(f"`{path}` is no checkpoint of onlay or is damaged")


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
    optimizer.load_state_dict({**state, "state": moments})  # some keep more


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
