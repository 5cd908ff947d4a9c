"""Models as programs of `torch.export`, which need neither Onlay nor their own source.

Shapes: B batch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from onlay.errors import BundleError

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel


def export(model: AdaptedModel, path: Path) -> None:
    """Write a `.pt2` file: inputs as the network is given them, any B, the other sizes as in
    training, to the task's output.

    `torch.export.load(path).module()` gives the model back. What the network does with its inputs
    first (sampling and grouping of clouds) is part of it, as torch operations; what could not be
    folded stays in it as it was trained.

    Raises:
        BundleError: torch cannot make one program of it for every B.
    """
    example = model.example(2).to(next(model.parameters()).device)
    batch = torch.export.Dim("batch", min=1, max=4096)
    try:
        with torch.no_grad():
            program = torch.export.export(model.eval(), (example,), dynamic_shapes=({0: batch},))
    except RuntimeError as error:  # whatever a head does that cannot be traced
        reason = str(error).strip().split("\n")[0]
        raise BundleError(
            f"torch cannot make one program of this model for batches of any size: {reason}"
        ) from error
    torch.export.save(program, path)
