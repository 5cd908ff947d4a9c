"""Images and depth maps in two folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from onlay.data import Splits, Whole
from onlay.reading.layouts import Layout
from onlay_dense.data.depth_config import DepthFolderConfig
from onlay_dense.data.depths import Depths
from onlay_dense.data.pairs import Paired, TwoFolders
from onlay_dense.data.splits import Measure, make_splits, make_whole
from onlay_image.data.located import Located

USUAL = ("depths", "depth", "depth_maps", "depth_map", "depthmaps", "distances", "gt")
LABELS = ("depth",)


def build(config: DepthFolderConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from folders, else by `data.split_seed`; a target is the depth of each pixel.

    Raises:
        DataError: what `TwoFolders.paired`, `make_splits` and `read_depths` raise.
    """
    return make_splits(_paired(config), config, input_spec, LABELS, _reader(config))


def whole(config: DepthFolderConfig, input_spec: Mapping[str, Any], labels: Sequence[str]) -> Whole:
    """All pairs.

    Raises:
        DataError: as `build`.
    """
    return make_whole(_paired(config), config, input_spec, labels, _reader(config))


def truth(
    config: DepthFolderConfig,
    source: Path,
    file: Path,
    facts: Mapping[str, Any],
    labels: Sequence[str],
) -> Located:
    """One image with a depth map that lies anywhere.

    Raises:
        DataError: it cannot be read, or holds no depths.
    """
    return Located([source], Depths([file], config), facts)


def layout(config: DepthFolderConfig) -> Layout:
    """Everything in the folders, as it lies."""
    return _paired(config).layout


def measure(config: DepthFolderConfig) -> Measure:
    """For `onlay data check`: every depth map is read, too."""
    return Measure(config, _paired(config), _reader(config))


def _paired(config: DepthFolderConfig) -> Paired:
    return TwoFolders(
        root=config.path,
        noun="depth",
        usual=USUAL,
        own=config.depths,
        images=config.images,
        endings=(config.image_ending, config.depth_ending),
        drop=config.unpaired == "drop",
    ).paired(config.parts)


def _reader(config: DepthFolderConfig) -> partial[Depths]:
    return partial(Depths, values=config)
