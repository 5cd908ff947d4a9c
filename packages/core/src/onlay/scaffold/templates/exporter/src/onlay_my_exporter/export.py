"""From a merged model to a file."""

from pathlib import Path

import numpy as np
from onlay.errors import CannotFold
from onlay.model.adapted import AdaptedModel
from torch import Tensor


def export(model: AdaptedModel, path: Path) -> None:
    """Write an array for each tensor of backbone (`backbone.`) and head (`head.`), and
    `labels`.

    `onlay merge` gives a fresh name and moves what is written there to its place. What a
    file cannot hold is refused in a sentence, before anything is written.

    Raises:
        CannotFold: adapters are left.
    """
    left = [name for name, _ in model.adapter.own_tensors()]
    if left:
        raise CannotFold(
            f"`{left[0]}` is still an adapter, and weights alone are written"
        )
    arrays = {f"backbone.{name}": array(t) for name, t in model.anatomy.trunk().items()}
    arrays |= {f"head.{name}": array(t) for name, t in model.head.state_dict().items()}
    with path.open("wb") as file:  # a file, for NumPy adds its suffix to other names
        np.savez(file, labels=np.array(model.head.labels), **arrays)  # type: ignore


def array(tensor: Tensor) -> np.ndarray:
    """In float32 where it is a number in bfloat16, which NumPy has not."""
    wide = tensor.float() if tensor.is_floating_point() else tensor
    return wide.detach().cpu().numpy()
