"""What a head says that finds objects.

Shapes: n objects, m cells of a box, H and W pixels.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from onlay.reports import PERCENT
from onlay.task import Input, Raster
from onlay_dense.objects.masks import filled, frame, outline, pasted, within
from onlay_dense.objects.overlay import draw_objects
from onlay_dense.objects.rle import encoded
from onlay_dense.palette import colour_of
from onlay_dense.way_back import on_the_file, picture_of

NOTHING, EDGE = "#e8eef2", "#1b1b1b"
"""Of pixels without an object, and of those between it and others."""
DIFFERENCE = ("#009e73", "#e69f00", "#d55e00")
"""What is found, what is missed, and what is of nothing."""


@dataclass(frozen=True, eq=False)
class ObjectsAnswer:
    """The objects of one picture, the surest first."""

    boxes: Tensor
    """(n, 4), from corner to corner in pixels, x before y; they may reach beyond the picture, and
    what is told of them ends at its edges."""
    labels: tuple[int, ...]
    """Of each its place among `names`."""
    scores: tuple[float, ...]
    shares: Tensor | None
    """(n, m, m), of each cell of its box how surely it is of the object; None of boxes alone."""
    size: tuple[int, int]
    """Height and width of the picture that the boxes lie on."""
    names: tuple[str, ...]
    """Of all classes."""
    threshold: float
    given: Input | None = None
    whole: Tensor | None = None
    """(n, H, W), masks on the picture, where it is they that are known."""

    @classmethod
    def of(
        cls, found: Mapping[str, Tensor], names: Sequence[str], threshold: float
    ) -> ObjectsAnswer:
        """Of what the head puts out for one picture."""
        plain = {name: leaf.detach().cpu() for name, leaf in found.items()}
        height, width = map(int, plain["size"].tolist())
        return cls(
            plain["boxes"].float(),
            tuple(plain["labels"].tolist()),
            tuple(plain["scores"].tolist()),
            plain["masks"].float() if "masks" in plain else None,
            (height, width),
            tuple(names),
            threshold,
        )

    @classmethod
    def true(cls, target: Mapping[str, Tensor], names: Sequence[str]) -> ObjectsAnswer:
        """Of what a target says; crowds are no objects."""
        crowd = target.get("crowd", torch.zeros(len(target["labels"]))).bool()
        own = {name: leaf[~crowd].cpu() for name, leaf in target.items()}
        labels, masks = tuple(own["labels"].tolist()), own.get("masks")
        height, width = masks.shape[-2:] if masks is not None else (0, 0)
        sure = (1.0,) * len(labels)
        boxes = own["boxes"].float()
        return cls(boxes, labels, sure, None, (height, width), tuple(names), 1.0, whole=masks)

    def with_input(self, given: Input) -> ObjectsAnswer:
        """The answer that knows its picture: records and files are in the file's own pixels."""
        height, width = self.size if any(self.size) else given.tensor.shape[-2:]
        return replace(self, given=given, size=(height, width))

    @property
    def sure(self) -> int:
        """How many objects are at least as sure as the threshold: the first ones."""
        return sum(score >= self.threshold for score in self.scores)

    def line(self) -> str:
        """`12 nuclei, 3 cells`, those that are sure; `nothing` where none is."""
        counts = Counter(self.names[label] for label in self.labels[: self.sure])
        return ", ".join(f"{n} {name}" for name, n in counts.most_common()) or "nothing"

    def cells(self, top: int | None = None) -> dict[str, str]:
        """The objects that are sure, and the surest ones, by default one, with their
        probabilities."""
        pairs = zip(self.labels, self.scores, strict=True)
        each = [f"{self.names[label]} {PERCENT.text(p, places=1)}" for label, p in pairs]
        return {"objects": self.line(), "surest": ", ".join(each[: top or 1]) or "-"}

    def row(self, top: int | None = None) -> dict[str, str | float]:
        """How many objects of each class are sure."""
        counts = Counter(self.labels[: self.sure])
        each = {f"number of {name}": counts[n] for n, name in enumerate(self.names)}
        return {"objects": self.sure, **each}

    def record(self, top: int | None = None) -> dict[str, Any]:
        """`size`, height and width in pixels, `threshold` and `objects`, as COCO's results have
        them, all of them by default, with the `category`'s name beside its number from 1."""
        placed = self._placed()
        return {
            "size": list(placed.size),
            "threshold": self.threshold,
            "objects": placed._results(len(self.labels) if top is None else top),
        }

    def write(self, folder: Path, stem: str) -> list[Path]:
        """COCO's results, with the stem as `image_id`, and the picture with what is sure drawn into
        it."""
        results, overlay = folder / f"{stem}.json", folder / f"{stem}-overlay.png"
        placed = self._placed()
        own = [{"image_id": stem, **each} for each in placed._results(len(self.labels))]
        results.write_text(json.dumps(own, indent=1) + "\n", encoding="utf-8")
        names = [self.names[label] for label in self.labels[: self.sure]]
        masks = placed._masks(self.sure) if self._drawn_whole else None
        shown = zip(placed._told.tolist(), names, self.scores, strict=False)
        draw_objects(picture_of(placed.given, placed.size), [*shown], masks).save(overlay)
        return [results, overlay]

    def drawn(self) -> list[Raster]:
        """What is sure, by class, the edge of each object apart: masks, or the frames of boxes; on
        the picture as the backbone is given it."""
        found = torch.zeros(self.size, dtype=torch.long)
        masks = self._masks(self.sure) if self._drawn_whole else None
        for n in reversed(range(self.sure)):  # the surest is on top
            if masks is None:
                found[frame(self._told[n], self.size)] = self.labels[n] + 2
            else:
                found[masks[n]] = self.labels[n] + 2
                found[outline(masks[n])] = 1
        labels = "nothing", "edge of an object", *self.names
        own = (colour_of(n) for n in range(len(self.names)))
        return [Raster(self.line(), found, labels, colours=(NOTHING, EDGE, *own))]

    def beside(self, truth: ObjectsAnswer) -> list[Raster]:
        """Which pixels of objects are found, missed, and of nothing."""
        ours, theirs = self._covered(), truth._covered()
        if ours.shape != theirs.shape:
            return []
        found = (ours & theirs).long() + 2 * (theirs & ~ours) + 3 * (ours & ~theirs)
        labels = "nothing", "found", "missed", "of nothing"
        return [Raster("difference", found, labels, colours=(NOTHING, *DIFFERENCE))]

    @property
    def _drawn_whole(self) -> bool:
        return self.shares is not None or self.whole is not None

    def _covered(self) -> Tensor:
        """Pixels (H, W) of any object that is sure; of boxes alone all in them."""
        found = torch.zeros(self.size, dtype=torch.bool)
        masks = self._masks(self.sure) if self._drawn_whole else None
        for n in range(self.sure):
            found |= filled(self._told[n], self.size) if masks is None else masks[n]
        return found

    @property
    def _told(self) -> Tensor:
        """Boxes that end at the picture's edges, where its size is known."""
        return within(self.boxes, self.size) if any(self.size) else self.boxes

    def _masks(self, count: int) -> list[Tensor]:
        if self.whole is not None:
            return [*self.whole[:count].bool()]
        assert self.shares is not None
        return [*pasted(self.shares[:count], self.boxes[:count], self.size)]

    def _placed(self) -> ObjectsAnswer:
        """On the file's own pixels, where it is known how these became the backbone's."""
        way = on_the_file(self.given)
        return (
            self
            if way is None or self.whole is not None
            else replace(self, boxes=way.boxes(self.boxes), size=way.size)
        )

    def _results(self, count: int) -> list[dict[str, Any]]:
        made = []
        for label, score, box in zip(self.labels, self.scores, self._told.tolist(), strict=True):
            if len(made) == count:
                break
            left, top, right, bottom = (round(side, 2) for side in box)
            made.append(
                {
                    "category_id": label + 1,
                    "category": self.names[label],
                    "bbox": [left, top, round(right - left, 2), round(bottom - top, 2)],
                    "score": round(score, 6),
                }
            )
        if self.shares is not None:
            masks = pasted(self.shares[:count], self.boxes[:count], self.size)
            for own, mask in zip(made, masks, strict=True):
                own["segmentation"] = encoded(mask.numpy())
        return made
