"""Saving a model as a bundle, with the hashes by which a reader knows it again."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save as to_safetensors

from onlay.anatomy.liveness import listed
from onlay.bundle.fingerprint import fingerprint, norm_eps, when_rounded
from onlay.bundle.manifest import BackboneRecord, Manifest
from onlay.bundle.writing import check_place, write
from onlay.errors import BundleError

if TYPE_CHECKING:
    from torch import Tensor

    from onlay.model.adapted import AdaptedModel


def save(model: AdaptedModel, folder: Path, *, record: Mapping[str, Any]) -> Path:
    """Write the bundle of a model; an existing bundle is replaced, anything else is left alone and
    refused.

    `record`: `metrics` (flat numbers), `measures` (how they are read), `dataset`, `command`,
    `seed`, ... for the model card; every key is optional.

    Raises:
        BundleError: a tensor is not finite, something else lies in the folder's place, or a part of
            the backbone was made to train by hand, or took up what was merged, which no bundle
            holds.
        RunError: the folder cannot be written.
    """
    check_place(folder)
    _refuse_thawed_by_hand(model)
    _refuse_folded(model)
    state = {name: t.contiguous().cpu() for name, t in model.trained_state().items()}
    for name, tensor in state.items():
        if not bool(torch.isfinite(tensor).all()):
            raise BundleError(f"`{name}` holds numbers that are not finite: nothing was written")
    tensors = to_safetensors(
        state,
        metadata={"format": "pt"},  # one key alone: several are written in a random order
    )
    write(folder, describe(model, tensors, record), tensors, record)
    return folder


def _refuse_thawed_by_hand(model: AdaptedModel) -> None:
    if not model.attachments.adapters:  # a backbone that is given back has its own flags
        return
    with model.disabled() as backbone:
        thawed = [name for name, p in backbone.named_parameters() if p.requires_grad]
    if thawed:
        raise BundleError(
            f"{listed(thawed)} of the backbone was made to train by hand, and a bundle holds"
            " nothing of the backbone: let the method thaw it (`full`, `bitfit`, `place.thaw`), or"
            " take it back (`requires_grad_(False)`)"
        )


def _refuse_folded(model: AdaptedModel) -> None:
    if model.folded:
        raise BundleError(
            f"`{model.method.name}` is merged into the backbone's weights, and a bundle holds none"
            " of them: save the model that you merged (`onlay merge` makes a plain model of its"
            " bundle), or keep these weights with `torch.save(model.backbone.state_dict(), file)`"
        )


def describe(model: AdaptedModel, tensors: bytes, record: Mapping[str, Any]) -> Manifest:
    """The manifest of a model as it is now."""
    report, trunk = model.trainable_report(), untouched_trunk(model)
    return Manifest(
        method=model.method.model_dump(mode="json"),
        task=model.task.model_dump(mode="json"),
        modality=model.built.modality,
        backbone=BackboneRecord(
            label=model.built.label,
            source=dict(model.built.source),
            fingerprint=fingerprint(trunk),
            fingerprint_rounded=when_rounded(trunk),
            pooling=model.anatomy.pooling,
            norm_eps=norm_eps(model.backbone),
            parameters=report.backbone,
        ),
        labels=list(model.head.labels),
        preprocessing=model.preprocessing,
        sites=model.adapter.sites,
        parameters=report.counts,
        packages=model.packages,
        data={key: str(record[key]) for key in ("dataset", "split") if record.get(key)},
        metrics={k: v for k, v in record.get("metrics", {}).items() if math.isfinite(v)},
        tensors_sha256=hashlib.sha256(tensors).hexdigest(),
    )


def untouched_trunk(model: AdaptedModel) -> dict[str, Tensor]:
    """The backbone's tensors as they are without the adapter."""
    with model.disabled():
        return model.anatomy.trunk()
