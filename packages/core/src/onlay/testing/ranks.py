"""Two processes on one machine that train one model, by fork: nothing has to be pickled."""

from __future__ import annotations

import tempfile
import traceback
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from onlay.machine.system import ended, forked
from onlay.model.adapted import AdaptedModel
from onlay.testing.checking import Broken

PATIENCE = timedelta(seconds=30)


def in_two_processes(
    model: AdaptedModel, batch: tuple[Tensor, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The gradients of both ranks after two passes of DDP on halves of the batch."""
    with tempfile.TemporaryDirectory() as folder:
        children = [forked(partial(_work, rank, model, batch, Path(folder))) for rank in range(2)]
        done = [ended(child, 2 * PATIENCE.total_seconds()) for child in children]
        if not all(done):
            raise Broken("a process does not come to an end")
        return _answer(folder, 0), _answer(folder, 1)


def _answer(folder: str, rank: int) -> dict[str, Tensor]:
    failure = Path(folder, f"{rank}.txt")
    if failure.exists():
        raise Broken(f"process {rank} fails: {failure.read_text(encoding='utf-8')}")
    return torch.load(Path(folder, f"{rank}.pt"), weights_only=True)


def _work(rank: int, model: AdaptedModel, batch: tuple[Tensor, Tensor], folder: Path) -> None:
    try:
        torch.set_num_threads(1)  # the parent's threads are not there, and one would wait for them
        torch.save(_gradients(rank, model, batch, folder), folder / f"{rank}.pt")
    except BaseException as error:
        last = traceback.format_exception_only(error)[-1].strip()
        (folder / f"{rank}.txt").write_text(last, encoding="utf-8")


def _gradients(
    rank: int, model: AdaptedModel, batch: tuple[Tensor, Tensor], folder: Path
) -> dict[str, Tensor]:
    store = dist.FileStore(str(folder / "store"), 2)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2, timeout=PATIENCE)
    parallel = DistributedDataParallel(model.train())
    inputs, targets = (part.tensor_split(2)[rank] for part in batch)
    for _ in range(2):  # the second pass is where DDP complains of what the first did not use
        model.zero_grad()
        torch.manual_seed(rank)
        parallel(inputs, targets).backward()
    dist.destroy_process_group()
    return {n: p.grad for n, p in model.trained_parameters().items() if p.grad is not None}
