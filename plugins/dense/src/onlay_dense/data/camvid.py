"""CamVid (Brostow et al., 2009), with the 11 classes in which it is usually judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from onlay.data import Splits, Whole
from onlay.errors import DataError
from onlay.reading.finding import folders_in
from onlay.reading.layouts import WHOLE, Layout
from onlay.reading.listing import Item, some
from onlay_dense.data.config import CamvidConfig
from onlay_dense.data.masked import masked, masked_measure, masked_whole
from onlay_dense.data.meaning import made
from onlay_dense.data.pairs import Paired, item_of
from onlay_dense.data.splits import Measure
from onlay_dense.data.stems import Side, matched
from onlay_dense.data.table import ClassTable, code
from onlay_image.data.suffixes import SUFFIXES

_RAW, _RAW_MASKS = "701_StillsRaw_full", "LabeledApproved_full"
_PARTS = ("train", "val", "test")
_NUMBERED, _COLOURED = "annot", "_labels"
"""What folders of masks are called behind the name of their part."""

COLOURS: Mapping[str, Sequence[tuple[int, int, int]]] = {
    "sky": [(128, 128, 128)],
    "building": [(128, 0, 0), (192, 0, 128), (0, 128, 64), (64, 0, 64), (64, 192, 0)],
    "pole": [(192, 192, 128), (0, 0, 64)],
    "road": [(128, 64, 128), (128, 0, 192), (192, 0, 64)],
    "pavement": [(0, 0, 192), (64, 192, 128), (128, 128, 192)],
    "tree": [(128, 128, 0), (192, 192, 0)],
    "sign": [(192, 128, 128), (128, 128, 64), (0, 64, 64)],
    "fence": [(64, 64, 128)],
    "car": [(64, 0, 128), (64, 128, 192), (192, 64, 128), (192, 128, 192), (128, 64, 64)],
    "pedestrian": [(64, 64, 0), (64, 128, 64), (64, 0, 192), (192, 128, 64)],
    "bicyclist": [(0, 128, 192), (192, 0, 192)],
    "void": [(0, 0, 0)],
}
"""Which of the 32 classes that were drawn are which of the 11, by their colours. In masks of
numbers the classes are 0 to 10 in this order, and void is 11."""


def build(config: CamvidConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """The parts of the folders or lists; without either, split by `data.split_seed`.

    Raises:
        DataError: another layout, and what `make_splits` raises.
    """
    return masked(_paired(config.path), _table(config.path), config, input_spec)


def whole(config: CamvidConfig, input_spec: Mapping[str, Any], labels: Sequence[str]) -> Whole:
    """All parts, for a model of these classes."""
    return masked_whole(_paired(config.path), _table(config.path), config, input_spec, labels)


def layout(config: CamvidConfig) -> Layout:
    """All parts as they lie."""
    return _paired(config.path).layout


def measure(config: CamvidConfig) -> Measure:
    """For `onlay data check`."""
    return masked_measure(_paired(config.path), _table(config.path), config)


def _table(folder: Path) -> ClassTable:
    if (folder / f"train{_NUMBERED}").is_dir():
        return made(list(enumerate(COLOURS)), void=["void"])
    pairs = [(code(rgb), name) for name, own in COLOURS.items() for rgb in own]
    return made(pairs, coloured=True, void=["void"])


def _paired(folder: Path) -> Paired:
    files: dict[Path, Path] = {}
    parts: dict[str, list[Item]] = {}
    notes: list[str] = []
    for part, images, masks, ending in _places(folder):
        pairs = _listed(folder, part, matched(*_sides(images, masks, ending), True, notes))
        files |= pairs
        parts[part] = [item_of(folder, *pair, "mask") for pair in pairs.items()]
    return Paired(Layout(parts, tuple(notes), "mask"), files)


def _sides(images: Path, masks: Path, ending: str) -> tuple[Side, Side]:
    return (
        Side(folder=images, noun="image", suffixes=SUFFIXES),
        Side(folder=masks, noun="mask", suffixes=SUFFIXES, ending=ending),
    )


def _places(folder: Path) -> Iterator[tuple[str, Path, Path, str]]:
    """Part, images, masks, and what stems of masks end in."""
    for behind, ending in ((_NUMBERED, ""), (_COLOURED, "_L")):
        parts = [part for part in _PARTS if (folder / f"{part}{behind}").is_dir()]
        if "train" in parts:
            yield from ((p, folder / p, folder / f"{p}{behind}", ending) for p in parts)
            return
    raw, masks = folder / _RAW, folder / _RAW_MASKS
    if not (raw.is_dir() and masks.is_dir()):
        have = some(folders_in(folder)) if folder.is_dir() else "no folder of that name"
        raise DataError(
            f"`{folder}` is no CamVid ({have}): it has `train` beside `train{_NUMBERED}` or"
            f" `train{_COLOURED}`, or `{_RAW}` beside `{_RAW_MASKS}`"
        )
    lists = [part for part in _PARTS if (folder / f"{part}.txt").is_file()]
    yield from ((part, raw, masks, "_L") for part in lists or [WHOLE])


def _listed(folder: Path, part: str, pairs: Mapping[Path, Path]) -> Mapping[Path, Path]:
    """Those that the part's list names, if there is one: paths of other computers, by their last
    name.

    Raises:
        DataError: an image of the list that is not there, or has no mask.
    """
    path = folder / f"{part}.txt"
    if not path.is_file():
        return pairs
    by_name = {image.stem: image for image in pairs}
    names = [
        Path(line.split()[0]).stem for line in path.read_text("utf-8").splitlines() if line.strip()
    ]
    if missing := [name for name in names if name not in by_name]:
        raise DataError(f"`{path}` names {some(missing)}, and there is no such image with a mask")
    return {by_name[name]: pairs[by_name[name]] for name in names}
