"""A folder of class folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onlay.data import Splits, Whole
from onlay.reading.class_folders import ClassFolders
from onlay.reading.layouts import Layout
from onlay_image.data.config import ImageFolderConfig
from onlay_image.data.splits import NOUN, make_splits, make_whole
from onlay_image.data.suffixes import SUFFIXES


def build(config: ImageFolderConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from folders (`train`, `Validation`, ...), else by a stratified split.

    Raises:
        DataError: no such folder, no class folder, an empty class folder; and see `make_splits`.
    """
    return make_splits(_folders(config).listing(config), config, input_spec, config.labels)


def whole(config: ImageFolderConfig, input_spec: Mapping[str, Any], labels: Sequence[str]) -> Whole:
    """All images of the folder, in whatever layout, for a model of these classes.

    Raises:
        DataError: as `build`, but for parts and classes that are absent; a class that is unknown.
    """
    return make_whole(_folders(config).layout(config, labels), config, input_spec, labels)


def layout(config: ImageFolderConfig) -> Layout:
    """Everything in the folder, as it lies."""
    return _folders(config).layout(config)


def _folders(config: ImageFolderConfig) -> ClassFolders:
    return ClassFolders(config.path, SUFFIXES, NOUN, "cat/1.jpg")
