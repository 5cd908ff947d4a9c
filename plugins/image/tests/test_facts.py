"""A bundle's preprocessing is checked by the modality's own class, before any file is read."""

from __future__ import annotations

from typing import Any

import pytest

from onlay.errors import BundleError
from onlay.host import PluginHost
from onlay.model.preprocessing import check
from onlay_image.data.preparing import ImagePreprocess
from onlay_image.data.preprocess import resolve

SPEC = {
    "img_size": [64, 64],
    "resize": "crop",
    "crop_pct": 0.9,
    "interpolation": "bicubic",
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
}


def facts(**changes: Any) -> dict[str, Any]:
    return resolve(ImagePreprocess(value_range=(0, 100)), SPEC) | changes


def test_what_is_written_is_read_back() -> None:
    check(PluginHost.discover(only="image").modalities["image"], facts(), "here")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"img_size": [10**9, 10**9]}, "img_size.0"),
        ({"img_size": 64}, "img_size"),
        ({"mean": [0.5, "dark", 0.5]}, "mean.1"),
        ({"std": [0.5, 0.0, 0.5]}, "std.1"),
        ({"std": [0.5]}, "3 means and 1 deviations"),
        ({"resize": "stretch"}, "resize"),
        ({"crop_pct": 0}, "crop_pct"),
        ({"value_range": [1]}, "value_range"),
        ({"background": "plaid"}, "background"),
    ],
)
def test_what_makes_no_sense_is_named(changes: dict[str, Any], name: str) -> None:
    modality = PluginHost.discover(only="image").modalities["image"]
    with pytest.raises(BundleError, match=f"here: `preprocessing.*{name}"):
        check(modality, facts(**changes), "here")
