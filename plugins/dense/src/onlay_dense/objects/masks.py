"""From shares in boxes to masks on a picture.

Shapes: n objects, m cells of a box, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F


def pasted(shares_nmm: Tensor, boxes: Tensor, size: tuple[int, int]) -> Iterator[Tensor]:
    """Of each object its mask (H, W), truths, on the CPU: pixels whose middle is in the box, where
    the shares, interpolated, are above a half. One after the other, as many would not fit into
    memory at once.

    torchvision's own way rounds the box first, and small objects grow by a pixel.
    """
    for share_mm, box in zip(shares_nmm.float().cpu(), boxes.float().cpu(), strict=True):
        mask = torch.zeros(size, dtype=torch.bool)
        (left, columns), (top, rows) = (_within(box[n::2], size[1 - n]) for n in (0, 1))
        if len(rows) and len(columns):
            grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)[None]
            found = F.grid_sample(
                share_mm[None, None], grid, padding_mode="border", align_corners=False
            )
            mask[top : top + len(rows), left : left + len(columns)] = found[0, 0] > 0.5
        yield mask


def _within(ends: Tensor, length: int) -> tuple[int, Tensor]:
    """The first pixel whose middle is between two ends, and where the middles of all are, from -1
    to 1."""
    low, high = ends.tolist()
    middles = torch.arange(length) + 0.5
    inside = middles[(middles > low) & (middles < high)]
    first = int(inside[0]) if len(inside) else 0
    return first, 2 * (inside - low) / (high - low) - 1 if len(inside) else inside


def within(boxes_n4: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes that end at the picture's edges. What their masks lie in is the whole ones."""
    height, width = size
    ends = torch.tensor([width, height] * 2, dtype=boxes_n4.dtype, device=boxes_n4.device)
    return boxes_n4.clamp(min=0).minimum(ends)


def outline(mask_HW: Tensor) -> Tensor:
    """Pixels of a mask of whose four neighbours one is beyond it."""
    wide = torch.zeros([side + 2 for side in mask_HW.shape], dtype=torch.bool)
    wide[1:-1, 1:-1] = mask_HW
    inner = wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    return mask_HW & ~inner


def frame(box: Tensor, size: tuple[int, int]) -> Tensor:
    """The outermost pixels (H, W) of a box."""
    return outline(filled(box, size))


def filled(box: Tensor, size: tuple[int, int]) -> Tensor:
    """All pixels (H, W) of a box."""
    left, top, right, bottom = box.round().long().tolist()
    found = torch.zeros(size, dtype=torch.bool)
    found[max(top, 0) : max(bottom, top + 1), max(left, 0) : max(right, left + 1)] = True
    return found
