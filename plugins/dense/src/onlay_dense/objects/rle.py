"""Masks as texts, in the run lengths of COCO's files.

Shapes: H and W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


def encoded(mask_HW: np.ndarray) -> dict[str, Any]:
    """`{"size": [H, W], "counts": TEXT}`, as COCO's tools read it.

    >>> encoded(np.array([[0, 1], [1, 1]]))
    {'size': [2, 2], 'counts': '13'}
    """
    column = np.concatenate([[0], mask_HW.T.reshape(-1).astype(bool), [0]])
    changes = np.flatnonzero(np.diff(column.astype(np.int8)))
    ends = np.concatenate([[0], changes, [mask_HW.size]])
    counts = np.diff(ends).tolist()
    if counts[-1] == 0:
        counts.pop()  # it ends with a pixel of the mask
    return {"size": list(mask_HW.shape), "counts": "".join(_letters(counts))}


def _letters(counts: Sequence[int]) -> Iterator[str]:
    """From the third on each count stands as what it has more than the last but one; five bits to
    a letter, the lowest first, with one more that says whether others follow."""
    for place, count in enumerate(counts):
        left, more = count - (counts[place - 2] if place > 2 else 0), True
        while more:
            bits, left = left & 31, left >> 5
            more = left != (-1 if bits & 16 else 0)
            yield chr(48 + bits + 32 * more)
