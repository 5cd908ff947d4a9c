"""Writing a bundle: into a sibling folder first, then under its name in one step."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import save as to_safetensors

from onlay.bundle.card import model_card
from onlay.bundle.fingerprint import fingerprint
from onlay.bundle.manifest import BackboneRecord, Manifest
from onlay.errors import BundleError

if TYPE_CHECKING:
    from torch import Tensor

    from onlay.adapted import AdaptedModel

CONFIG, TENSORS, CARD = "adapter_config.json", "adapter_model.safetensors", "README.md"


def save(model: AdaptedModel, folder: Path, *, record: Mapping[str, Any]) -> Path:
    """Write the bundle of a model; an existing bundle is replaced, anything else is left alone and
    refused.

    `record`: `metrics` (flat numbers), `dataset`, `command`, `seed`, ... for the model card; every
    key is optional.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / CONFIG).exists():
        raise BundleError(f"`{folder}` holds other files and is no bundle; give a new folder")
    tensors = to_safetensors(
        {name: t.contiguous().cpu() for name, t in model.trained_state().items()},
        metadata={"format": "pt"},  # one key alone: several are written in a random order
    )
    manifest = describe(model, tensors, record)
    files = {
        TENSORS: tensors,
        CONFIG: (manifest.model_dump_json(indent=2) + "\n").encode(),
        CARD: model_card(manifest, record, size=len(tensors)).encode(),
    }
    replace_folder(folder, files)
    return folder


def describe(model: AdaptedModel, tensors: bytes, record: Mapping[str, Any]) -> Manifest:
    """The manifest of a model as it is now."""
    report = model.trainable_report()
    return Manifest(
        method=model.method.model_dump(mode="json"),
        task=model.task.model_dump(mode="json"),
        modality=model.built.modality,
        backbone=BackboneRecord(
            label=model.built.label,
            source=dict(model.built.source),
            fingerprint=fingerprint(untouched_trunk(model)),
            parameters=report.backbone,
        ),
        labels=list(model.head.labels),
        preprocessing=model.preprocessing,
        sites=model.adapter.sites,
        parameters={"method": report.method, "head": report.head, "other": report.other},
        packages=model.packages,
        data={key: str(record[key]) for key in ("dataset", "split") if record.get(key)},
        metrics=dict(record.get("metrics", {})),
        tensors_sha256=hashlib.sha256(tensors).hexdigest(),
    )


def untouched_trunk(model: AdaptedModel) -> dict[str, Tensor]:
    """The backbone's tensors as they are without the adapter."""
    with model.disabled():
        return model.anatomy.trunk()


def replace_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make `folder` hold exactly `files`; a reader sees the old ones or the new ones, never a
    mixture."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.parent / f".{folder.name}.new-{os.getpid()}"
    stale = folder.parent / f".{folder.name}.old-{os.getpid()}"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        for name, content in files.items():
            with (fresh / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        _swap(fresh, folder, stale)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _swap(fresh: Path, folder: Path, stale: Path) -> None:
    if not folder.exists():
        fresh.rename(folder)
        return
    folder.rename(stale)
    try:
        fresh.rename(folder)
    except OSError:
        stale.rename(folder)
        raise
    shutil.rmtree(stale, ignore_errors=True)
