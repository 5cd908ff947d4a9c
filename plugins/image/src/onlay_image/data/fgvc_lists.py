"""The lists in which fine-grained data sets come from their authors; imported without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from onlay.errors import DataError

Entries = Mapping[str, Sequence[tuple[str, str]]]
"""Part -> names of pictures with their classes; `val` is missing where there is none."""

FILES: Mapping[str, tuple[str, ...]] = {
    "birds": ("images.txt", "image_class_labels.txt", "train_test_split.txt"),
    "dogs": ("train_list.mat", "test_list.mat"),
    "cars": ("cars_train_annos.mat", "cars_test_annos_withlabels.mat"),
    "flowers": ("imagelabels.mat", "setid.mat"),
}
"""CUB-200-2011 and NABirds, Stanford Dogs, Stanford Cars, Oxford Flowers."""
FOLDERS = ("", "lists", "devkit")
"""Where they lie in the data set's folder."""


def lists_in(path: Path) -> tuple[str, list[Path]] | None:
    """Which lists are there, if any, and their files."""
    for kind, names in FILES.items():
        found = [file for name in names for file in _file(path, name)]
        if len(found) == len(names):
            return kind, found
    return None


def entries_of(kind: str, files: Sequence[Path]) -> Entries:
    """What the lists say.

    Raises:
        DataError: one cannot be read; names it.
    """
    try:
        return _READERS[kind](*files)
    except Exception as error:  # scipy says in many ways that a file is no MATLAB file
        names = ", ".join(f"`{file}`" for file in files)
        raise DataError(f"{names} do not hold the lists that they should: {error}") from error


def _file(path: Path, name: str) -> Iterator[Path]:
    places = [path / folder / name for folder in FOLDERS]
    yield from [place for place in places if place.is_file()][:1]


def _birds(images: Path, labels: Path, split: Path) -> Entries:
    """Each line a number or a name, and what is told of it; 1 is for training."""
    names, classes, trained = (
        dict(
            line.split(maxsplit=1)
            for line in file.read_text(encoding="utf-8").split("\n")
            if line.strip()
        )
        for file in (images, labels, split)
    )
    parts: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    for key, name in names.items():
        part = {"1": "train", "0": "test"}[trained[key].strip()]
        parts[part].append((name.strip(), classes[key].strip()))
    return parts


def _dogs(*files: Path) -> Entries:
    tables = zip(("train", "test"), map(_mat, files), strict=True)
    return {part: _pairs(mat["file_list"], mat["labels"]) for part, mat in tables}


def _cars(*files: Path) -> Entries:
    tables = zip(("train", "test"), map(_mat, files), strict=True)
    parts = {part: mat["annotations"] for part, mat in tables}
    return {
        part: _pairs([f"cars_{part}/{name}" for name in own["fname"].flat], own["class"].flat)
        for part, own in parts.items()
    }


def _flowers(labels: Path, split: Path) -> Entries:
    """Numbers of pictures, from 1 on."""
    classes, sets = _mat(labels)["labels"].reshape(-1), _mat(split)
    keys = {"train": "trnid", "val": "valid", "test": "tstid"}
    return {
        part: [(f"jpg/image_{n:05d}.jpg", str(classes[n - 1])) for n in sets[key].reshape(-1)]
        for part, key in keys.items()
    }


def _pairs(names: Any, classes: Any) -> list[tuple[str, str]]:
    return [(str(name), str(int(number))) for name, number in zip(names, classes, strict=True)]


def _mat(path: Path) -> dict[str, Any]:
    """The arrays of a MATLAB file, each of one axis or more."""
    import numpy as np
    from scipy.io import loadmat

    arrays = loadmat(path, squeeze_me=True)
    return {key: np.atleast_1d(own) for key, own in arrays.items() if not key.startswith("__")}


_READERS: Mapping[str, Callable[..., Entries]] = {
    "birds": _birds,
    "dogs": _dogs,
    "cars": _cars,
    "flowers": _flowers,
}
