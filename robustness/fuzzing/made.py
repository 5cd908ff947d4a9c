"""Models, bundles and runs that are made once in a process."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

import onlay
from onlay.descriptors import resolve
from onlay.model.adapted import AdaptedModel


@cache
def host() -> onlay.PluginHost:
    return onlay.PluginHost.discover()


@cache
def room() -> Path:
    """A folder for what all cases of this process share."""
    folder = Path(tempfile.mkdtemp(prefix="onlay-fuzz-made-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def reader(modality: str) -> Callable[[dict[str, Any]], Callable[[Path], torch.Tensor]]:
    """What makes readers of a modality's files from the facts of its preparation."""
    return resolve(host().find("modality", modality).reader)


@cache
def image_model() -> AdaptedModel:
    torch.manual_seed(0)
    return onlay.adapt("onlay_vit_64", "arc", labels=["cat", "dog", "eel"], host=host()).eval()


@cache
def image_bundle() -> Path:
    """A bundle of three classes."""
    return image_model().save_pretrained(room() / "images")


@cache
def cloud_bundle() -> Path:
    """Likewise, for clouds."""
    torch.manual_seed(0)
    model = onlay.adapt("onlay_points", "dapt", labels=["cup", "jar"], host=host())
    return model.save_pretrained(room() / "clouds")
