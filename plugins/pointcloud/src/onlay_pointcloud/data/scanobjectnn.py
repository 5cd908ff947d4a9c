"""ScanObjectNN (Uy et al. 2019): the h5 files as its authors hand them out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onlay.data import Splits
from onlay_pointcloud.data.config import ScanObjectNNConfig
from onlay_pointcloud.data.hdf5 import items_of
from onlay_pointcloud.data.splits import make_splits, with_validation

CLASSES = (
    *("bag", "bin", "box", "cabinet", "chair", "desk", "display", "door"),
    *("shelf", "table", "bed", "pillow", "sink", "sofa", "toilet"),
)

_FILES = {
    "obj_bg": ("main_split", ""),
    "obj_only": ("main_split_nobg", ""),
    "pb_t50_rs": ("main_split", "_augmentedrot_scale75"),
}
"""Folder, and what stands after `objectdataset` in the names of files."""


def build(config: ScanObjectNNConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """The published training and test parts; `val_size` of the first is split off.

    Raises:
        DataError: a missing file; and see `items_of` and `make_splits`.
    """
    training, test = config.files or _files(config)
    listing = with_validation(items_of(training, CLASSES), items_of(test, CLASSES), config)
    return make_splits(listing, config, input_spec, CLASSES)


def _files(config: ScanObjectNNConfig) -> tuple[Path, Path]:
    """The training and the test file, in the folder of the split or in `path` itself."""
    assert config.path is not None
    folder, ending = _FILES[config.variant]
    names = [f"{part}_objectdataset{ending}.h5" for part in ("training", "test")]
    homes = (config.path / folder, config.path)
    home = next((home for home in homes if (home / names[0]).is_file()), homes[0])
    return home / names[0], home / names[1]
