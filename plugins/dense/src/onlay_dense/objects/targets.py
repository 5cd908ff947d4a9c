"""Objects of a batch, as torchvision's losses take them.

Shapes: n objects of a picture, H and W its pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Objects = dict[str, Tensor]


def collate(items: Sequence[tuple[Tensor, Mapping[str, Any]]]) -> tuple[Tensor, dict[str, Any]]:
    """Inputs stacked, and of the objects a list with one entry for each picture under each
    name."""
    inputs, targets = zip(*items, strict=True)
    return torch.stack(inputs), {name: [own[name] for own in targets] for name in targets[0]}


def each_of(targets: Mapping[str, Any]) -> list[Objects]:
    """Of a batch the objects of each picture."""
    return [{k: v[n] for k, v in targets.items()} for n in range(len(targets["boxes"]))]


def seen(objects: Mapping[str, Tensor]) -> Tensor:
    """Which objects (n,) have an extent: boxes that a crop left nothing of have none, and their
    losses would be no numbers; nor have masks without a pixel."""
    boxes = objects["boxes"]
    there = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(1)
    masks = objects.get("masks")
    return there if masks is None else there & masks.bool().flatten(1).any(1)


def chosen(objects: Mapping[str, Tensor], which: Tensor) -> Objects:
    """Some of the objects."""
    return {name: leaf[which] for name, leaf in objects.items()}


def to_learn(objects: Objects, *, masks: bool) -> Objects:
    """Objects as torchvision has them: the background is class 0. A crowd is nothing to learn."""
    which = seen(objects)
    if "crowd" in objects:
        which = which & ~objects["crowd"].bool()
    names = ("boxes", "labels", "masks") if masks else ("boxes", "labels")
    kept = chosen({name: objects[name] for name in names}, which)
    return kept | {"boxes": kept["boxes"].float(), "labels": kept["labels"].long() + 1}
