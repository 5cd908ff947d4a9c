"""Tars of images, read from any place in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onlay.data import Splits, Whole
from onlay.reading.layouts import Layout, divided
from onlay.reading.pieces import by_part, gaps, pieces
from onlay.reading.tar_samples import TarSamples, class_names
from onlay_image.data.config import ShardsConfig
from onlay_image.data.splits import NOUN, in_blocks, make_splits, make_whole
from onlay_image.data.suffixes import SUFFIXES

_USUAL = ("jpg", "jpeg", "png", "webp", "tif", "tiff", "bmp", "gif", "npy")
IMAGES = (*_USUAL, *sorted({suffix[1:] for suffix in SUFFIXES}.difference(_USUAL)))
"""What of a sample is the image, the preferred first."""


def build(config: ShardsConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from the names of the tars, else by a stratified split.

    Raises:
        DataError: no tar, one that is missing, compressed, cut short or damaged; two members of one
            key, a sample without a label; and see `make_splits`.
    """
    listing = divided(layout(config), config, NOUN)
    labels = config.labels or class_names(config.classes)
    splits = make_splits(listing, config, input_spec, labels)
    return in_blocks(splits, config.window) if config.order == "blocks" else splits


def whole(config: ShardsConfig, input_spec: Mapping[str, Any], labels: Sequence[str]) -> Whole:
    """All images of the tars, for a model of these classes.

    Raises:
        DataError: as `build`, but for parts and classes that are absent; a class that is unknown.
    """
    return make_whole(layout(config), config, input_spec, labels)


def layout(config: ShardsConfig) -> Layout:
    """Everything in the tars, as it lies.

    Raises:
        DataError: as `build`, but for splits.
    """
    found = pieces(config.path, ".tar")
    notes = list(gaps(found))
    names = class_names(config.classes)
    samples = TarSamples(config.image or IMAGES, config.target, config.label, names)
    parts = {
        part: [item for path in paths for item in samples.items(path, notes)]
        for part, paths in by_part(found, config.parts, config.path).items()
    }
    return Layout(parts, tuple(notes))
