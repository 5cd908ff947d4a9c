"""ModelNet40 (Wu et al. 2015) in the four kinds of files that circulate."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onlay.data import Splits
from onlay.errors import DataError
from onlay.reading.listing import Item
from onlay.reading.name_lines import name_lines
from onlay_pointcloud.data import hdf5
from onlay_pointcloud.data.config import ModelNet40Config
from onlay_pointcloud.data.modelnet40_files import PATTERNS
from onlay_pointcloud.data.pickles import read_pickle
from onlay_pointcloud.data.readers import is_there, listed_lines
from onlay_pointcloud.data.splits import make_splits, with_validation

Parts = tuple[Sequence[Item], Sequence[Item], Sequence[str]]
"""Items to train on, items to test on, classes."""

CLASSES = (
    *("airplane", "bathtub", "bed", "bench", "bookshelf", "bottle", "bowl", "car", "chair"),
    *("cone", "cup", "curtain", "desk", "door", "dresser", "flower_pot", "glass_box", "guitar"),
    *("keyboard", "lamp", "laptop", "mantel", "monitor", "night_stand", "person", "piano"),
    *("plant", "radio", "range_hood", "sink", "sofa", "stairs", "stool", "table", "tent"),
    *("toilet", "tv_stand", "vase", "wardrobe", "xbox"),
)


def build(config: ModelNet40Config, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """The published training and test parts; `val_size` of the first is split off.

    Raises:
        DataError: a missing list or file, a pickle that carries code; and see `make_splits`.
    """
    train, test, labels = _LAYOUTS[_layout(config)](config.path)
    return make_splits(with_validation(train, test, config), config, input_spec, labels)


def _layout(config: ModelNet40Config) -> str:
    if not config.path.is_dir():
        raise DataError(f"there is no folder `{config.path}`")
    tried = PATTERNS if config.layout == "auto" else {config.layout: PATTERNS[config.layout]}
    found = next((name for name in tried if any(config.path.glob(PATTERNS[name]))), None)
    if found is None:
        looked = ", ".join(f"`{pattern}`" for pattern in tried.values())
        raise DataError(f"`{config.path}` holds no ModelNet40 (looked for {looked})")
    return found


def _from_pickles(folder: Path) -> Parts:
    """Pickles of [list of (N, 6) arrays, list of (1,) arrays]; those of most points."""
    sizes = (re.findall(r"_(\d+)pts", path.name)[0] for path in folder.glob(PATTERNS["dat"]))
    size, labels = max(sizes, key=int), _names(folder / "modelnet40_shape_names.txt")
    train, test = (
        _pickled(folder / f"modelnet40_{part}_{size}pts_fps.dat", labels)
        for part in ("train", "test")
    )
    return train, test, labels


def _pickled(path: Path, labels: Sequence[str]) -> list[Item]:
    content = read_pickle(path)
    try:
        clouds, numbers = content
        pairs = zip(clouds, (whole_number(n) for n in numbers), strict=True)
        return [labelled(cloud, n, labels, path, i) for i, (cloud, n) in enumerate(pairs)]
    except DataError:
        raise
    except (TypeError, ValueError) as error:
        raise DataError(f"`{path}` does not hold a list of clouds and one of labels") from error


def whole_number(value: Any) -> int:
    """A label of a pickle: a number, or an array of one.

    Raises:
        TypeError: anything else.
    """
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if not isinstance(value, int | np.integer):
        raise TypeError
    return int(value)


def labelled(points: Any, number: int, labels: Sequence[str], path: Path, index: int) -> Item:
    """A cloud of a pickle; normals are left out.

    Raises:
        DataError: no points (N, 3 or more), a label outside the classes.
    """
    if not isinstance(points, np.ndarray) or points.ndim != 2 or points.shape[1] < 3:
        shape = getattr(points, "shape", "of no array")
        raise DataError(f"cloud {index} of `{path}` has the shape {shape}")
    if not 0 <= number < len(labels):
        raise DataError(
            f"cloud {index} of `{path}` has the label {number}, and the {len(labels)} classes are"
            f" 0 to {len(labels) - 1}"
        )
    own = np.ascontiguousarray(points[:, :3], dtype=np.float32)
    return Item(own, labels[number], f"{path.name}/{index}")


def _from_text(folder: Path) -> Parts:
    """One file for each cloud: x,y,z,nx,ny,nz; lists of `airplane_0627`."""
    train, test = (
        [_named(folder, name) for name in _lines(folder / f"modelnet40_{part}.txt")]
        for part in ("train", "test")
    )
    return train, test, _names(folder / "modelnet40_shape_names.txt")


def _named(folder: Path, name: str) -> Item:
    label = name.rpartition("_")[0]
    path = folder / label / f"{name}.txt"
    if not is_there(path):
        raise DataError(f"`{path}`, which the lists name, is missing")
    return Item(path, label, f"{label}/{path.name}")


def _from_h5(folder: Path) -> Parts:
    labels = _names(folder / "shape_names.txt")
    train, test = (
        [item for path in _numbered(folder, part) for item in hdf5.items_of(path, labels)]
        for part in ("train", "test")
    )
    return train, test, labels


def _numbered(folder: Path, part: str) -> list[Path]:
    return sorted(folder.glob(f"ply_data_{part}*.h5"), key=lambda path: (len(path.name), path.name))


def _from_meshes(folder: Path) -> Parts:
    labels = sorted(path.name for path in folder.iterdir() if (path / "train").is_dir())
    train, test = (
        [
            Item(path, label, path.relative_to(folder).as_posix())
            for label in labels
            for path in sorted((folder / label / part).glob("*.off"))
        ]
        for part in ("train", "test")
    )
    return train, test, labels


def _names(path: Path) -> tuple[str, ...]:
    """Classes in the order of their numbers: the folder's own list, else the usual one.

    Raises:
        DataError: the list is no text, or has an empty line before others.
    """
    if not path.is_file():
        return CLASSES
    try:
        return tuple(name_lines(path))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the names of classes `{path}` cannot be read as text") from error


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise DataError(f"the list `{path}` is missing")
    return listed_lines(path)


_LAYOUTS: Mapping[str, Callable[[Path], Parts]] = {
    "dat": _from_pickles,
    "txt": _from_text,
    "h5": _from_h5,
    "off": _from_meshes,
}
