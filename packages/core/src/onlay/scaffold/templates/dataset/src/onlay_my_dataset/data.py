"""From files to tensors and their labels.

Shapes: H and W height and width of a file, h and w those that the backbone takes.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onlay.data import Splits
from onlay.errors import DataError
from onlay.reading.listing import (
    Item,
    Listing,
    classes_of,
    counts,
    digest,
    stratified,
    targets,
)
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from .config import MyDatasetConfig


def build(
    config: MyDatasetConfig,
    input_spec: Mapping[str, Any],
    seed: int,
) -> Splits:
    """The parts, as the backbone wants them (`input_spec`: size, mean, deviation).

    `seed` is that of training, for augmentation; the split has a seed of its own, so that
    runs of several seeds are compared on one split.
    """
    found = listing(config)
    labels = classes_of(found, None, "image")
    # Goes into the bundle: `onlay predict` prepares a file by it, exactly as `Arrays` does.
    prepared = {"modality": "image", "resize": "squash", "interpolation": "bilinear"}
    return Splits(
        train=Arrays(found.train, labels, input_spec),
        validation=Arrays(found.val, labels, input_spec) if found.val else None,
        test=Arrays(found.test, labels, input_spec) if found.test else None,
        labels=labels,
        preprocessing={**input_spec, **prepared},
        digest=digest(found),
        facts={"counts": counts(found, labels)},
    )


def listing(config: MyDatasetConfig) -> Listing:
    """Every item in one part, each class by its share; a layout with parts would keep its own."""
    items, seed = table(config.path), config.split_seed
    rest, test = stratified(items, config.test_size, seed, noun="image")
    return Listing(*stratified(rest, config.val_size, seed, noun="image"), test)


def table(folder: Path) -> list[Item]:
    """The lines of `labels.csv`; `key` is how the digest of the split names an item."""
    path = folder / "labels.csv"
    if not path.is_file():
        raise DataError(
            f"there is no `{path}`, a table with the columns `file`, `label`"
        )
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"file", "label"} <= rows[0].keys():
        raise DataError(f"`{path}` has no lines, or not the columns `file` and `label`")
    items = [Item(folder / row["file"], row["label"], row["file"]) for row in rows]
    for item in items:  # before training, rather than in the middle of it
        if not item.source.is_file():
            raise DataError(f"`{path}` names `{item.key}`, which is not there")
    return items


class Arrays(Dataset[tuple[Tensor, int]]):
    """Pairs of an image (3, h, w), resized and normalised, and the place of its class."""

    def __init__(
        self, items: Sequence[Item], labels: Sequence[str], spec: Mapping[str, Any]
    ) -> None:
        self.files = [item.source for item in items]
        self.targets = targets(items, labels)
        self.size = tuple(spec["img_size"])
        self.mean, self.std = (torch.tensor(spec[key]) for key in ("mean", "std"))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        height, width = self.size
        picture = Image.fromarray(read(self.files[index]))
        fitted = picture.resize((width, height), Image.Resampling.BILINEAR)
        image = torch.from_numpy(np.array(fitted)).permute(2, 0, 1) / 255
        normal = (image - self.mean[:, None, None]) / self.std[:, None, None]
        return normal, self.targets[index]


def read(path: Path) -> np.ndarray:
    """Bytes (H, W, 3)."""
    try:
        pixels = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"`{path}` is no array: {error}") from error
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        found = f"{pixels.dtype} {pixels.shape}"
        raise DataError(f"`{path}` is {found}, and bytes (H, W, 3) are expected")
    return pixels
