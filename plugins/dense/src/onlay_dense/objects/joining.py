"""Objects of a whole picture from those of its pieces.

Shapes: n objects, m cells of a box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from onlay_dense.objects.masks import within
from onlay_dense.objects.targets import chosen

if TYPE_CHECKING:
    from onlay.task import Position

Found = Mapping[str, Tensor]


def joined(pieces: Sequence[Found], positions: Sequence[Position], overlap: float) -> Found:
    """The objects of all pieces on the whole picture, the surest first; boxes may reach beyond it.

    Each object is told by the piece that is nearest to its middle, which sees all of it if it is no
    larger than what neighbours share. Of two of a class that overlap by more than `overlap`, which
    are one whose middle two pieces see on different sides of their border, the surer one stays.
    """
    placed = [_placed(*pair) for pair in zip(pieces, positions, strict=True)]
    found = {name: torch.cat([own[name] for own in placed]) for name in placed[0]}
    if len(pieces) > 1:
        boxes = within(found["boxes"], positions[0].whole)
        kept = batched_nms(boxes, found["scores"], found["labels"], overlap)
        found = chosen(found, kept)
    return found | {"size": torch.tensor(positions[0].whole)}


def _placed(found: Found, position: Position) -> dict[str, Tensor]:
    """Those of one piece whose middle is in its core and on the picture."""
    (down, across), (top, left) = position.scale, position.start
    scale, start = (torch.tensor([pair[1], pair[0]] * 2) for pair in ((down, across), (top, left)))
    height, width = position.whole
    boxes = found["boxes"] * scale + start
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    low, high = (torch.tensor([across, down]) for down, across in position.core)
    own = (middles >= low) & (middles < high) & (middles < torch.tensor([width, height]))
    leaves = {name: leaf for name, leaf in found.items() if name != "size"}
    return chosen(leaves | {"boxes": boxes}, own.all(1))
