"""What a backbone cannot take, said before a layer of it complains."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from onlay.errors import DataError


def refuse_other_inputs(inputs: Any, form: str, dimensions: int) -> None:
    """Inputs must be one batch in a tensor.

    `form` says which: `images (B, C, H, W)`.

    Raises:
        DataError: no tensor, or one of another number of dimensions.
    """
    if not isinstance(inputs, Tensor):
        raise DataError(f"the inputs must be a tensor of {form}, not a `{type(inputs).__name__}`")
    if inputs.ndim != dimensions:
        alone = "; a single one is a batch as `x[None]`" if inputs.ndim == dimensions - 1 else ""
        raise DataError(f"the inputs must be {form}, and they are {tuple(inputs.shape)}{alone}")
