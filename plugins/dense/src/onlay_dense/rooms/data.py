"""The data set `rooms`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from onlay.batches import Tree
from onlay.data import Splits
from onlay.tasks.several.named import joined_labels
from onlay_dense.rooms.casting import Rendered, render
from onlay_dense.rooms.config import RoomsConfig
from onlay_dense.rooms.scenes import CLASSES, random_scene
from onlay_image.data.located import Located
from onlay_image.data.preprocess import resolve

PARTS = ("train", "val", "test")
KEPT_BYTES = 256 * 2**20
"""How much of one part stays in memory, in each process."""

LABELS: Mapping[str, Sequence[str]] = {"mask": CLASSES, "depth": ("depth",)}


def build(config: RoomsConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Rooms of `config.rooms_seed`, rendered when they are asked for."""
    facts = resolve(config.preprocess, input_spec)
    sizes = (config.train_size, config.val_size, config.test_size)
    kind = config.targets or "several"

    def part(number: int, *chance: Any) -> Located | None:
        scenes = Scenes((config.rooms_seed, number), sizes[number], *facts["img_size"])
        return Located(Of(scenes, _picture), Of(scenes, TARGETS[kind]), facts, *chance)

    train: Any = part(0, config.preprocess)
    train.plain = part(0)
    return Splits(
        train=train,
        validation=part(1) if config.val_size else None,
        test=part(2),
        labels=tuple(LABELS[kind]) if kind in LABELS else joined_labels(LABELS),
        targets=kind,
        preprocessing=facts,
        digest=f"rooms {config.rooms_seed} {sizes}",
    )


class Scenes:
    """Rooms of one part by their number, each rendered anew or, as far as `KEPT_BYTES` goes, taken
    from memory; another process renders its own."""

    def __init__(self, seed: tuple[int, int], count: int, height: int, width: int) -> None:
        self.seed, self.count, self.size = seed, count, (height, width)
        self.kept: dict[int, Rendered] = {}
        self.last: tuple[int, Rendered] | None = None

    def __getitem__(self, index: int) -> Rendered:
        if index in self.kept:
            return self.kept[index]
        if self.last is None or self.last[0] != index:
            self.last = index, self._rendered(index)
        found = self.last[1]
        if (len(self.kept) + 1) * sum(each.nbytes for each in found) <= KEPT_BYTES:
            self.kept[index] = found
        return found

    def _rendered(self, index: int) -> Rendered:
        if not 0 <= index < self.count:
            raise IndexError(index)
        random = np.random.default_rng([*self.seed, index])
        return render(random_scene(random), *self.size, random)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "kept": {}, "last": None}


class Of(Sequence[Any]):
    """One thing of each room, of all or of those at `indices`."""

    def __init__(
        self,
        scenes: Scenes,
        take: Callable[[Rendered], Any],
        indices: Sequence[int] | None = None,
    ) -> None:
        self.scenes, self.take = scenes, take
        self.indices = range(scenes.count) if indices is None else indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.taken(range(len(self))[index])
        return self.take(self.scenes[self.indices[index]])

    def taken(self, indices: Iterable[int]) -> Of:
        """Those at `indices`, not yet rendered."""
        return Of(self.scenes, self.take, [self.indices[index] for index in indices])


def _picture(room: Rendered) -> np.ndarray:
    return room.picture


def _mask(room: Rendered) -> Tensor:
    return torch.from_numpy(room.classes).long()


def _depth(room: Rendered) -> Tensor:
    return torch.from_numpy(room.depth)


def _several(room: Rendered) -> Tree:
    return {"mask": _mask(room), "depth": _depth(room)}


TARGETS: Mapping[str, Callable[[Rendered], Tree]] = {
    "mask": _mask,
    "depth": _depth,
    "several": _several,
}
"""What is told of a room, by `RoomsConfig.targets`."""
