"""ScanObjectNN (Uy et al. 2019): the h5 files as its authors hand them out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onlay.data import Splits
from onlay_pointcloud.data.config import ScanObjectNNConfig
from onlay_pointcloud.data.hdf5 import items_of
from onlay_pointcloud.data.scanobjectnn_files import files_of
from onlay_pointcloud.data.splits import make_splits, with_validation

CLASSES = (
    *("bag", "bin", "box", "cabinet", "chair", "desk", "display", "door"),
    *("shelf", "table", "bed", "pillow", "sink", "sofa", "toilet"),
)


def build(config: ScanObjectNNConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """The published training and test parts; `val_size` of the first is split off.

    Raises:
        DataError: a missing file; and see `items_of` and `make_splits`.
    """
    training, test = _files(config)
    listing = with_validation(items_of(training, CLASSES), items_of(test, CLASSES), config)
    return make_splits(listing, config, input_spec, CLASSES)


def _files(config: ScanObjectNNConfig) -> tuple[Path, Path]:
    if config.files is not None:
        return config.files
    assert config.path is not None
    return files_of(config.path, config.variant)
