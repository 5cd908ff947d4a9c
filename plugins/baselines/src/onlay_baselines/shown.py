"""What `onlay inspect` shows of an adapter; computed only while it looks.

Shapes: B batch, T tokens, D width, n vectors.
"""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

UPDATE = "adapter's update"
UPDATE_MEANING = (
    "The size of what an adapter adds to a token, as a share of the size of what it reads: 0.25 is"
    " a quarter."
)
WEIGHTS = "changes of weights"
WEIGHTS_MEANING = (
    "How far the update moves the numbers of a frozen matrix: outputs from top to bottom, inputs"
    " from left to right, each cell the mean size over its part of the matrix. The same for every"
    " input."
)
FINEST = 32
"""Cells of a side of a matrix's picture."""


def share(added: Tensor, x: Tensor) -> Tensor:
    """The size of what is added to tokens (..., D) beside their own, (..., 1)."""
    size = x.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    return added.norm(dim=-1, keepdim=True) / size


def pooled(matrix: Tensor) -> Tensor:
    """The mean size in each part of a matrix, as one picture (1, 1, h, w)."""
    cells = min(FINEST, matrix.shape[0]), min(FINEST, matrix.shape[1])
    return F.adaptive_avg_pool2d(matrix.abs().float()[None, None], cells)


def folded(vectors_nD: Tensor) -> Tensor:
    """Vectors as pictures, row by row: (1, n, h, w), h and w as near as their product allows."""
    width = vectors_nD.shape[-1]
    height = next(h for h in range(math.isqrt(width), 0, -1) if width % h == 0)
    return vectors_nD.unflatten(-1, (height, -1))[None]
