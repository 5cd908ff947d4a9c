"""Is there room for what a run will write? Asked before it trains for hours."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from onlay.config.train import TrainConfig
from onlay.errors import RunError
from onlay.system import largest_file


def check_room(folder: Path, trained: Mapping[str, Tensor], config: TrainConfig) -> None:
    """Compare the disk's free space with two checkpoints and a bundle, and the largest file that
    is allowed with a checkpoint.

    Raises:
        RunError: one of them is too small; says by how much.
    """
    bundle = sum(tensor.nbytes for tensor in trained.values())
    copies = 3 + bool(config.model_ema_decay) + (config.selection != "last")  # AdamW has two
    checkpoint = copies * bundle
    free, largest = shutil.disk_usage(folder).free, largest_file()
    if free < (needed := 2 * checkpoint + bundle):
        raise RunError(
            f"`{folder}` has {_mebibytes(free)} free, and two checkpoints and a bundle of this run"
            f" take {_mebibytes(needed)}: free some space, or choose another disk with `out=...`"
        )
    if largest is not None and largest < checkpoint:
        raise RunError(
            f"a file may have {_mebibytes(largest)} here (`ulimit -f`), and a checkpoint of this"
            f" run takes {_mebibytes(checkpoint)}: raise the limit"
        )


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"
