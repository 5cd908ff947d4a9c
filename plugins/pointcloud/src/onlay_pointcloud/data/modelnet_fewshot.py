"""Few-shot episodes of ModelNet40, in the pickles that Point-BERT's authors published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onlay.data import Splits
from onlay.errors import DataError
from onlay.reading.listing import Item, Listing
from onlay_pointcloud.data.config import ModelNetFewshotConfig
from onlay_pointcloud.data.modelnet40 import CLASSES, labelled, whole_number
from onlay_pointcloud.data.modelnet40_files import episodes
from onlay_pointcloud.data.pickles import read_pickle
from onlay_pointcloud.data.splits import make_splits

Entry = tuple[Any, int, int]
"""Points (8192, 6), the class within the episode, the class within ModelNet40."""


def build(config: ModelNetFewshotConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """The episode's training and test clouds, without a validation part; classes are those of the
    episode, in its order, and with `outputs: 40` so many more that never occur.

    Raises:
        DataError: no such episode, a pickle that carries code, other classes than `way`; and see
            `make_splits`.
    """
    path = _episode(config)
    train, test = _entries(path)
    own = _classes([*train, *test], config.way, path)
    rest = tuple(f"unused {n}" for n in range(len(own), 40)) if config.outputs == 40 else ()
    listing = Listing(_items(train, own, path, "train"), (), _items(test, own, path, "test"))
    return make_splits(listing, config, input_spec, own + rest)


def _episode(config: ModelNetFewshotConfig) -> Path:
    paths = episodes(config.path, config.way, config.shot, config.fold)
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise DataError(
            f"there is no fold {config.fold} of {config.way}-way {config.shot}-shot: neither"
            f" `{paths[0]}` nor `{paths[1]}`"
        )
    return found


def _entries(path: Path) -> tuple[list[Entry], list[Entry]]:
    content = read_pickle(path)
    try:
        train, test = (
            [(points, whole_number(new), whole_number(old)) for points, new, old in content[part]]
            for part in ("train", "test")
        )
    except (TypeError, ValueError, LookupError) as error:
        raise DataError(
            f"`{path}` does not hold `train` and `test` lists of points with two labels"
        ) from error
    return train, test


def _classes(entries: Sequence[Entry], way: int, path: Path) -> tuple[str, ...]:
    """Names in the order of the episode."""
    pairs = sorted({(new, old) for _, new, old in entries})
    if len(pairs) > way and len(pairs) > len(CLASSES):
        raise DataError(f"`{path}` is no {way}-way episode: it has {len(pairs)} pairs of labels")
    if [new for new, _ in pairs] != list(range(way)):
        raise DataError(
            f"`{path}` is no {way}-way episode: its labels and those of ModelNet40 are {pairs}"
        )
    if not all(0 <= old < len(CLASSES) for _, old in pairs):
        raise DataError(f"`{path}` has labels outside ModelNet40's 0 to 39: {pairs}")
    return tuple(CLASSES[old] for _, old in pairs)


def _items(entries: Sequence[Entry], classes: Sequence[str], path: Path, part: str) -> list[Item]:
    """Clouds are named with their folder, for every fold has files of the same names."""
    items = [labelled(points, new, classes, path, i) for i, (points, new, _) in enumerate(entries)]
    return [item._replace(key=f"{path.parent.name}/{part}/{item.key}") for item in items]
