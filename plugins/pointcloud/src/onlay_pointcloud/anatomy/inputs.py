"""What a network for clouds is given."""

from __future__ import annotations

import torch
from torch import Tensor

from onlay.anatomy.inputs import refuse_other_inputs
from onlay.errors import DataError


def as_clouds(inputs: Tensor) -> Tensor:
    """A batch of clouds (B, N, 3 or more), as it is.

    Raises:
        DataError: it is none.
    """
    if not torch.compiler.is_compiling():
        refuse_other_inputs(inputs, "clouds (B, N, 3 or more)", 3)
        if not inputs.shape[0] or inputs.shape[2] < 3:
            raise DataError(
                f"a batch of clouds is (B, N, 3 or more), and this is {tuple(inputs.shape)}"
            )
    return inputs
