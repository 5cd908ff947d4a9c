"""A folder of class folders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onlay.class_folders import ClassFolders
from onlay.data import Splits
from onlay_image.data.config import ImageFolderConfig
from onlay_image.data.splits import NOUN, make_splits
from onlay_image.data.suffixes import SUFFIXES


def build(config: ImageFolderConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from folders (`train`, `Validation`, ...), else by a stratified split.

    Raises:
        DataError: no such folder, no class folder, an empty class folder; and see `make_splits`.
    """
    folders = ClassFolders(config.path, SUFFIXES, NOUN, "cat/1.jpg")
    return make_splits(folders.listing(config), config, input_spec, config.labels)
