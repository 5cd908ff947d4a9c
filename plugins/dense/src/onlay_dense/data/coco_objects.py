"""What COCO's files note of an image, as tensors.

Shapes: n objects, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from onlay.errors import DataError
from onlay_dense.data.coco_file import CocoImage, Note
from onlay_dense.data.objects import Objects
from onlay_dense.objects.library import evaluator
from onlay_image.data.values import extent_of

WHAT = "reading masks in COCO's files"
_POINTS = 3
_BEYOND = 10
"""Of an image's longer side: polygons that reach further out than that many of it are none. To draw
them would take more memory and time than there is."""


def refuse_without_library() -> None:
    """Raise an `OnlayError` where nothing can draw polygons."""
    evaluator(WHAT)


@dataclass(frozen=True)
class CocoObjects:
    """Reads the objects of an image; a class, so that it can be sent to another process."""

    images: Mapping[Path, CocoImage]
    labels: tuple[str, ...]
    masked: bool
    """Whether objects have masks; one without has no pixels then."""

    def __call__(self, path: Path) -> Objects:
        """In the pixels of the image.

        Raises:
            DataError: the image is of another size than its file says; a mask that is none.
        """
        image = self.images[path]
        size = extent_of(path)
        if image.size not in (None, size):
            assert image.size is not None
            raise DataError(
                f"`{path}` has {size[0]} rows and {size[1]} columns, and its JSON file says"
                f" {image.size[0]} and {image.size[1]}"
            )
        places = [self.labels.index(note["category"]) for note in image.notes]
        corners = [_corners(note["bbox"]) for note in image.notes]
        leaves = {
            "boxes": torch.tensor(corners, dtype=torch.float32).reshape(-1, 4),
            "labels": torch.tensor(places, dtype=torch.int64),
            "crowd": torch.tensor([bool(note.get("iscrowd")) for note in image.notes]).bool(),
        }
        if self.masked:
            masks = [_mask(note, size, path) for note in image.notes]
            stacked = np.stack(masks) if masks else np.zeros((0, *size), np.uint8)
            leaves["masks"] = torch.from_numpy(stacked)
        return Objects(leaves, size)


def _corners(box: Sequence[float]) -> list[float]:
    left, top, width, height = box
    return [left, top, left + width, top + height]


def _mask(note: Note, size: tuple[int, int], path: Path) -> np.ndarray:
    """(H, W) uint8 of polygons, or of run lengths as numbers or as text."""
    found, tool = note.get("segmentation"), evaluator(WHAT).mask
    if not found:
        return np.zeros(size, np.uint8)
    if (why := _fault(found, size)) is not None:
        raise _no_mask(note, path, f" ({why})")
    try:
        runs = _runs(found, size, tool)
        mask = np.ascontiguousarray(tool.decode(runs), np.uint8)
    except Exception as error:  # whatever a library in C++ makes of somebody's numbers
        raise _no_mask(note, path) from error
    return mask


def _fault(found: Any, size: tuple[int, int]) -> str | None:
    """What is wrong with polygons or run lengths, as far as a library would draw it nevertheless,
    or not come back."""
    if isinstance(found, Mapping):
        told = found.get("size")
        return None if told == [*size] else f"its `size` is {told!r}, and the image's {[*size]}"
    if not isinstance(found, list) or not all(isinstance(polygon, list) for polygon in found):
        return f"it is {found!r}"[:80]
    most = _BEYOND * max(size)
    for polygon in found:
        if len(polygon) < 2 * _POINTS or len(polygon) % 2:
            return (
                f"a polygon has {len(polygon)} numbers, and not x and y of {_POINTS} points or more"
            )
        if strange := [
            n for n in polygon if not _is_number(n) or not -most <= n <= most + max(size)
        ]:
            return f"a polygon has the number {strange[0]!r}, which is none or far outside"
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _runs(found: Any, size: tuple[int, int], tool: Any) -> Any:
    if isinstance(found, list):
        return tool.merge(tool.frPyObjects(found, *size))
    if isinstance(found.get("counts"), list):
        return tool.frPyObjects(found, *size)
    return found


def _no_mask(note: Note, path: Path, why: str = "") -> DataError:
    return DataError(
        f"the mask of an object on `{path}` (`id` {note.get('id')!r}) is neither polygons nor run"
        f" lengths of its size{why}"
    )
