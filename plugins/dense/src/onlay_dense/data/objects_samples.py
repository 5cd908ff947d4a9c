"""Small data sets with objects, for `onlay plugins check`.

Each function writes into an empty folder and gives the settings that read it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from onlay_dense.data.samples import COUNT, paint
from onlay_image.data.samples import draw


def instance_folder(folder: Path) -> dict[str, Any]:
    """Maps of 16 bits with up to two objects, without parts."""
    for number in range(COUNT):
        draw(folder / f"images/{number}.png", number)
        paint(folder / f"instances/{number}.png", numbered(number))
    return {"path": folder, "labels": ["cell"], "val_size": 0.25, "test_size": 0.25}


def numbered(seed: int) -> np.ndarray:
    """Numbers (10, 14): 300 in a box, 7 in a smaller one; every fourth is empty."""
    values = np.zeros((10, 14), np.uint16)
    if seed % 4 != 3:
        top, left = np.random.default_rng(seed).integers(0, 4, size=2)
        values[top : top + 4, left : left + 5] = 300
        values[7:10, 10:13] = 7
    return values


def coco(folder: Path) -> dict[str, Any]:
    """A JSON file to train on and one for the test: polygons, run lengths, crowds, images without
    objects."""
    for part, start, count in (("train", 0, 12), ("test", 12, 4)):
        numbers = range(start, start + count)
        for number in numbers:
            draw(folder / f"images/{number}.png", number)
        path = folder / f"annotations/instances_{part}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(_content(numbers)), encoding="utf-8")
    return {"path": folder, "val_size": 0.25}


def _content(numbers: range) -> dict[str, Any]:
    images = [{"id": n, "file_name": f"{n}.png", "height": 10, "width": 14} for n in numbers]
    notes = [note for n in numbers if n % 4 != 3 for note in _notes(n)]
    categories = [{"id": 17, "name": "cat"}, {"id": 3, "name": "bee"}]
    return {"images": images, "annotations": notes, "categories": categories}


def _notes(number: int) -> list[dict[str, Any]]:
    shared = {"image_id": number, "iscrowd": 0}
    square = {"category_id": 17, "bbox": [2, 1, 5, 4], "segmentation": [[2, 1, 7, 1, 7, 5, 2, 5]]}
    runs = {"size": [10, 14], "counts": [100, 10, 30]}  # the eleventh column
    column = {"category_id": 3, "bbox": [10, 0, 1, 10], "segmentation": runs}
    column["iscrowd"] = int(number % 4 == 2)
    found = [shared | square, shared | column]
    return [{"id": 10 * number + place} | note for place, note in enumerate(found)]
