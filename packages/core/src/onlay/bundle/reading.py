"""Reading a bundle: every doubt is an error in words, nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from torch import Tensor

from onlay.bundle.manifest import FORMAT_VERSION, Manifest
from onlay.bundle.replacing import leftover
from onlay.bundle.seal import KEY, read_json, sha256_of
from onlay.bundle.writing import CONFIG, TENSORS
from onlay.errors import BundleError
from onlay.host.firstparty import install
from onlay.machine.disk import write_text
from onlay.machine.system import open_plain


def find(path: Path) -> Path:
    """The bundle folder that is meant: `path` itself or `path/bundle`."""
    try:
        for folder in (path, path / "bundle"):
            if (folder / CONFIG).is_file():
                return folder
            if found := leftover(folder):
                return found
    except OSError as error:
        raise BundleError(f"`{path}` cannot be read: {error.strerror or error}") from error
    raise BundleError(f"`{path}` is no bundle and no finished run: it has no `{CONFIG}`")


def read_manifest(folder: Path) -> Manifest:
    """What a bundle says of itself, checked."""
    path = folder / CONFIG
    data = read_json(path)
    if not isinstance(data, dict) or data.get("library") != "onlay":
        kind = (
            "a PEFT adapter" if isinstance(data, dict) and "peft_type" in data else "something else"
        )
        raise BundleError(f"`{path}` was not written by Onlay: it describes {kind}")
    version = data.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise BundleError(
            f"`{path}` was saved by a newer Onlay"
            f" (format {version}; this one reads {FORMAT_VERSION}): {install('--upgrade', 'onlay')}"
        )
    manifest = validated(data, path)
    if data.get(KEY) != sha256_of(data):
        raise BundleError(
            f"`{path}` is not as it was written (its `{KEY}` does not fit): undo the change or, if"
            f" it is yours, confirm it: `from onlay.bundle import seal; seal({str(folder)!r})`"
        )
    return manifest


def validated(data: Mapping[str, Any], path: Path) -> Manifest:
    """A manifest whose fields are what they should be, whatever its hash."""
    try:
        return Manifest.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"`{path}` is damaged: `{where}`: {first['msg']}") from error


def seal(folder: str | Path) -> Path:
    """Confirm a manifest that was changed by hand: its fields are checked and its hash renewed.

    Raises:
        BundleError: a field is not what it should be.
        RunError: the file cannot be written.
    """
    path = Path(folder) / CONFIG
    data = read_json(path)
    validated(data if isinstance(data, dict) else {}, path)
    write_text(path, json.dumps(data | {KEY: sha256_of(data)}, indent=2) + "\n")
    return path


def read_tensors(folder: Path, manifest: Manifest) -> dict[str, Tensor]:
    """The trained tensors, which must be those that were written."""
    path = folder / TENSORS
    try:
        with open_plain(path) as file:
            content = file.read()
    except OSError as error:
        reason = error.strerror or "it is no plain file"
        raise BundleError(f"`{path}` cannot be read: {reason}") from error
    try:
        tensors = from_safetensors(content)
    except _UNREADABLE as error:
        raise BundleError(f"`{path}` is truncated or no safetensors file") from error
    if hashlib.sha256(content).hexdigest() != manifest.tensors_sha256:
        raise BundleError(f"`{path}` is not the file that was written beside `{CONFIG}`")
    return tensors


_UNREADABLE = (SafetensorError, ValueError, KeyError, TypeError, RuntimeError, OverflowError)
"""Of odd headers and kinds of numbers that this torch has not, safetensors raises any of these."""
