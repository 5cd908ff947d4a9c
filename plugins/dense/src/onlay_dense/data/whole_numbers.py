"""Maps of whole numbers, of objects or of classes.

Shapes: H and W pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onlay.errors import DataError
from onlay_image.data.values import read_values


def whole_numbers(path: Path, why: str) -> np.ndarray:
    """The numbers (H, W) of a map, none below 0; `why` they are numbers, in words.

    Raises:
        DataError: it cannot be read, or holds colours or other numbers.
    """
    values = read_values(path).values
    if values.ndim != 2:
        raise DataError(
            f"`{path}` holds colours, and {why}: save it with 16 bits of grey, with a palette, or"
            " as npy"
        )
    finite = np.isfinite(values).all()
    if values.dtype.kind == "f" and not (finite and (values == np.floor(values)).all()):
        raise DataError(f"`{path}` holds `{values.dtype}` that are no whole numbers")
    if values.size and values.min() < 0:
        raise DataError(
            f"`{path}` has the number {int(values.min())}: those of objects and classes are not"
            " below 0"
        )
    return values
