"""Writing a bundle's files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onlay.bundle.card import model_card
from onlay.bundle.manifest import Manifest
from onlay.bundle.replacing import replace_folder
from onlay.bundle.seal import KEY, sha256_of
from onlay.errors import BundleError
from onlay.machine.disk import writing

CONFIG, TENSORS, CARD = "adapter_config.json", "adapter_model.safetensors", "README.md"


def write(folder: Path, manifest: Manifest, tensors: bytes, record: Mapping[str, Any]) -> None:
    """In place of the bundle that lies there, whole or not at all, with the manifest's hash."""
    manifest = manifest.model_copy(update={KEY: sha256_of(manifest.model_dump(mode="json"))})
    files = {
        TENSORS: tensors,
        CONFIG: (manifest.model_dump_json(indent=2) + "\n").encode(),
        CARD: model_card(manifest, record, size=len(tensors)).encode(),
    }
    replace_folder(folder, files)


def check_place(folder: Path) -> None:
    """A `BundleError` where something else lies in the place of a bundle."""
    with writing(folder):
        if folder.exists() and not folder.is_dir():
            raise BundleError(f"`{folder}` is a file: a bundle is a folder, give another name")
        if folder.exists() and any(folder.iterdir()) and not (folder / CONFIG).exists():
            raise BundleError(f"`{folder}` holds other files and is no bundle; give a new folder")
