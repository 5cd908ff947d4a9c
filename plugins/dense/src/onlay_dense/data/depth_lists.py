"""NYU Depth V2 and KITTI: images and depth maps that published lists name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from onlay.data import Splits
from onlay.errors import DataError
from onlay.reading.layouts import Layout
from onlay.reading.listing import Item, Listing, Tags, some
from onlay_dense.data.depth_config import DepthListConfig
from onlay_dense.data.depth_folder import LABELS
from onlay_dense.data.depths import Depths
from onlay_dense.data.pairs import Paired
from onlay_dense.data.splits import Measure, splits_of

LISTS_IN = ("", "filenames", "splits", "train_test_inputs")
"""Folders in which lists are looked for."""
NONE = "None"
"""What a list says instead of a depth map that there is not."""


@dataclass(frozen=True)
class Published:
    """How a data set lies on disks."""

    lists: Mapping[str, Sequence[str]]
    """Of each part, the usual names of its list."""
    images: Mapping[str, Sequence[str]]
    """Of each part, folders that paths of images may be relative to."""
    depths: Mapping[str, Sequence[str]]
    """Likewise, of depth maps."""


_ROOMS = {"train": ("sync", "", "train"), "test": ("official_splits/test", "", "test")}
_STREETS = ("", "raw", "kitti_raw", "raw_data", "input")
_SCANS = [
    f"{home}{part}"
    for home in ("", "data_depth_annotated/", "gt_depth/", "depths/")
    for part in ("", "train", "val")
]

LAYOUTS: Mapping[str, Published] = {
    "nyu": Published(
        {p: (f"nyudepthv2_{p}_files_with_gt.txt", f"nyu_{p}.txt") for p in ("train", "test")},
        _ROOMS,
        _ROOMS,
    ),
    "kitti": Published(
        {
            p: (f"kitti_eigen_{p}_files_with_gt.txt", f"eigen_{p}_files_with_gt.txt")
            for p in ("train", "test")
        },
        dict.fromkeys(("train", "test"), _STREETS),
        dict.fromkeys(("train", "test"), _SCANS),
    ),
}


def build(config: DepthListConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """The lists' parts; recordings of the training part are split off to validate on.

    Raises:
        DataError: a missing list, a malformed line, a file that is not there; and see
            `make_splits`.
    """
    paired = _paired(config)
    train, val = _apart(paired.layout.parts["train"], config.val_size, config.split_seed)
    listing = Listing(
        train, val, paired.layout.parts["test"], notes=paired.layout.notes, targets="depth"
    )
    return splits_of(listing, paired, config, input_spec, LABELS, partial(Depths, values=config))


def layout(config: DepthListConfig) -> Layout:
    """The lists' parts."""
    return _paired(config).layout


def measure(config: DepthListConfig) -> Measure:
    """For `onlay data check`: every depth map is read, too."""
    return Measure(config, _paired(config), partial(Depths, values=config))


def _paired(config: DepthListConfig) -> Paired:
    published, files, notes = LAYOUTS[config.name], dict[Path, Path](), list[str]()
    if not config.path.is_dir():
        raise DataError(f"there is no folder `{config.path}`")
    parts: dict[str, list[Item]] = {}
    for part, given in (("train", config.train_list), ("test", config.test_list)):
        path = _list_of(config.path, [given] if given else published.lists[part])
        lines = list(_lines(path))
        kept = [pair for pair in lines if pair[1] != NONE]
        if len(kept) < len(lines):
            notes.append(f"left out: {len(lines) - len(kept)} of `{path.name}` without a depth map")
        found = [_found(pair, config.path, published, part, path) for pair in kept]
        files |= found
        parts[part] = [_item(*pair, config.path) for pair in found]
    return Paired(Layout(parts, tuple(notes), "depth"), files)


def _list_of(root: Path, names: Sequence[str]) -> Path:
    tried = [root / folder / name for folder in LISTS_IN for name in names]
    found = next((path for path in tried if path.is_file()), None)
    if found is None:
        raise DataError(
            f"the list of pairs is missing (looked for {some([str(path) for path in tried])}): name"
            " it, `data.train_list` or `data.test_list`"
        )
    return found


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Image and depth map of each line, as they are written there."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split()
        if len(words) == 1:
            raise DataError(f"line {number} of `{path}` is not an image and a depth map: `{line}`")
        if words:
            yield words[0].lstrip("/"), words[1].lstrip("/")


def _found(
    pair: tuple[str, str], root: Path, published: Published, part: str, named_in: Path
) -> tuple[Path, Path]:
    image = _below(pair[0], root, published.images[part], named_in)
    return image, _below(pair[1], root, published.depths[part], named_in)


def _below(name: str, root: Path, homes: Sequence[str], named_in: Path) -> Path:
    found = next((root / home / name for home in homes if (root / home / name).is_file()), None)
    if found is None:
        looked = some([str(root / home) for home in homes])
        raise DataError(f"`{name}` of `{named_in}` is not there (looked below {looked})")
    return found


def _item(image: Path, own: Path, root: Path) -> Item:
    told = f"a depth of {own.stat().st_size:,} bytes"
    return Item(image, told, image.relative_to(root).as_posix(), Tags(frozenset()))


def _apart(items: Sequence[Item], share: float, seed: int) -> tuple[list[Item], list[Item]]:
    """Whole folders, drawn by the seed, until they have their share of the items."""
    homes = sorted({item.source.parent for item in items})
    if len(homes) < 2 or not share:
        return list(items), []
    drawn, off = np.random.default_rng(seed).permutation(len(homes)), set[Path]()
    for place in drawn[:-1]:
        if sum(item.source.parent in off for item in items) >= math.ceil(share * len(items)):
            break
        off.add(homes[place])
    kept = [item for item in items if item.source.parent not in off]
    return kept, [item for item in items if item.source.parent in off]
