"""The data sets of scenes: blocks at random places to train on, all blocks to evaluate.

Shapes: P points of a scene, M = `npoints` of an item, E further columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from onlay.data import Blocks
from onlay_pointcloud.data.augment import Augment, dropped
from onlay_pointcloud.data.kept import KEPT_BYTES, Kept
from onlay_pointcloud.data.point_classes import PointClasses
from onlay_pointcloud.data.preprocess import Loader
from onlay_pointcloud.data.sampling import drawn
from onlay_pointcloud.data.scenes.cutting import CutScene, Cutting
from onlay_pointcloud.data.scenes.files import rows_of

Item = tuple[Tensor, Any]


@dataclass(frozen=True, kw_only=True)
class SceneLoader:
    """From a file to all of its points."""

    load: Loader
    classes: PointClasses | None = None
    """None where there are none, as in prediction."""
    names: Sequence[str] | None = None
    """Of rooms of S3DIS: the classes by their numbers."""
    place: bool = False
    """Whether three further columns tell where a point lies in its scene, 0 to 1."""

    def __call__(self, source: Path) -> Tensor:
        """Coordinates from the scene's lowest corner on, further columns and, where there are
        classes, their places, float32 (P, 3 + E + 1).

        Raises:
            DataError: a file that cannot be read, too few points, or a label that is no class.
        """
        rows = self._rows(source)
        low_3, high_3 = rows[:, :3].min(0), rows[:, :3].max(0)
        rows[:, :3] -= low_3
        if self.place:
            share = rows[:, :3] / np.maximum(high_3 - low_3, 1e-9)
            end = rows.shape[1] - (self.classes is not None)
            rows = np.hstack([rows[:, :end], share, rows[:, end:]])
        return torch.from_numpy(rows.astype(np.float32))

    def _rows(self, source: Path) -> np.ndarray:
        if self.classes is None:
            rows = self.load.measured(source)
        else:
            rows = rows_of(self.load, source, self.names)
            rows[:, -1] = self.classes.numbers(rows[:, -1], f"`{source}`")
        self.load.require_enough(len(rows), f"`{source}`")
        return rows.copy()


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """Files of one part, and how they are cut."""

    sources: Sequence[Path]
    load: SceneLoader
    cutting: Cutting

    def scene(self, index: int) -> Tensor:
        return self.load(self.sources[index])

    def cut(self, scene: Tensor) -> CutScene:
        """The items of a scene, whose last column is the class."""
        return CutScene(scene[:, :-1].numpy(), self.cutting)


class SceneBlocks(Dataset[Item]):
    """Every block of every scene. A target says which points of which scene an item has: `classes`
    and `points` (M,), `scene`, and how many `items` that has."""

    def __init__(self, scenes: Scenes) -> None:
        self.scenes, self.kept = scenes, Kept(scenes.scene)
        sizes = [len(scenes.cut(self.kept[n])) for n in range(len(scenes.sources))]
        self.ends = np.cumsum(sizes)
        self.last: tuple[int, CutScene, Tensor] | None = None
        files = zip(scenes.sources, sizes, strict=True)
        self.sources = [source for source, size in files for _ in range(size)]
        """Of each item the scene's file."""

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> Item:
        number = int(np.searchsorted(self.ends, index, side="right"))
        cut, classes_P = self._cut(number)
        inputs, points_M = cut.item(index - int(self.ends[number]) + len(cut))
        target = {"classes": classes_P[points_M], "points": points_M}
        return inputs, target | {"scene": number, "items": len(cut)}

    def _cut(self, number: int) -> tuple[CutScene, Tensor]:
        if self.last is None or self.last[0] != number:
            scene = self.kept[number]
            self.last = number, self.scenes.cut(scene), scene[:, -1].long()
        return self.last[1], self.last[2]


class TrainingScenes(Dataset[Item]):
    """`items` blocks an epoch about points by chance, scenes by how many points they have; inputs
    (M, 3 + E) and classes (M,)."""

    no_folds = (
        "the items of scenes are blocks that overlap, and what one fold is tested on would be"
        " trained on in another: say which scenes are which part with `data.parts` or"
        " `data.test_area`"
    )
    """Why items cannot be dealt to folds."""

    def __init__(
        self,
        scenes: Scenes,
        points: Sequence[int],
        items: int,
        augment: Augment | None,
        *,
        drop: float = 0.0,
    ) -> None:
        self.scenes, self.kept, self.augment, self.drop = scenes, Kept(scenes.scene), augment, drop
        shares = np.cumsum(points) / sum(points)
        self.ends = np.round(shares * max(items, len(points))).astype(int)
        self.bytes = 4 * sum(points)

    @property
    def plain(self) -> SceneBlocks:
        """The blocks of the same scenes as in evaluation."""
        return SceneBlocks(self.scenes)

    @property
    def blocks(self) -> Blocks | None:
        """The items of each scene, where not all of these stay in memory."""
        sizes = tuple(int(n) for n in np.diff(self.ends, prepend=0) if n)
        return Blocks(sizes) if self.bytes * 4 > KEPT_BYTES else None

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> Item:
        scene = self.kept[int(np.searchsorted(self.ends, index, side="right"))]
        cutting, points = self.scenes.cutting, scene[:, :-1].numpy()
        centre = cutting.ground(points[int(torch.randint(len(points), ()))][None])[0]
        inside = cutting.around(points, centre)
        inputs = cutting.inputs(points[inside], centre)
        chosen = drawn(len(inside), cutting.npoints)
        if self.drop:
            chosen = chosen[dropped(len(chosen), self.drop)]
        classes_M = scene[torch.from_numpy(inside)[chosen], -1].long()
        inputs = inputs[chosen]
        if self.augment is None:
            return inputs, classes_M
        return torch.cat([self.augment(inputs[:, :3]), inputs[:, 3:]], dim=1), classes_M
