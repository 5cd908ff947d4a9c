"""Is there room for what a run will write? Asked before it trains for hours."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from torch import Tensor

from onlay.config.train import TrainConfig
from onlay.errors import RunError
from onlay.machine.system import largest_file
from onlay_train.folder import RunFolder


def check_room(folder: RunFolder, trained: Mapping[str, Tensor], config: TrainConfig) -> None:
    """Compare the disk's free space with a bundle and three checkpoints, of which earlier starts
    may have written some, and the largest file that is allowed with a checkpoint.

    Raises:
        RunError: one of them is too small; says by how much.
    """
    bundle = sum(tensor.nbytes for tensor in trained.values())
    copies = 3 + bool(config.model_ema_decay) + (config.selection != "last")  # AdamW has two
    checkpoint = copies * bundle
    kept = sum(p.stat().st_size for p in (folder.checkpoint, folder.former) if p.exists())
    free, largest = shutil.disk_usage(folder.path).free, largest_file()
    if free < (needed := max(checkpoint, 3 * checkpoint - kept) + bundle):
        raise RunError(
            f"`{folder.path}` has {_bytes(free)} free, and a bundle and the checkpoints of this run"
            f" (two, while a third is written) take {_bytes(needed)}: free some space, or choose"
            " another disk with `out=...`"
        )
    if largest is not None and largest < checkpoint:
        raise RunError(
            f"a file may have {_bytes(largest)} here (`ulimit -f`), and a checkpoint of this"
            f" run takes {_bytes(checkpoint)}: raise the limit"
        )


def _bytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB" if size >= 2**20 else f"{size / 2**10:,.1f} KiB"
