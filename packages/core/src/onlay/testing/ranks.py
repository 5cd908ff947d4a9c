"""Two processes on one machine that train one model, by fork: nothing has to be pickled."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from onlay.machine.system import ended, forked
from onlay.model.adapted import AdaptedModel
from onlay.testing.checking import Broken, told_of

PATIENCE = timedelta(seconds=30)


Work = Mapping[str, tuple[AdaptedModel, tuple[Tensor, Tensor]]]
"""Models with a batch for each, by what they are called."""
Gradients = dict[str, Tensor]


def in_two_processes(work: Work) -> dict[str, tuple[Gradients, Gradients]]:
    """The gradients of both ranks after two passes of DDP on halves of the batch, model by model in
    the same two processes."""
    with tempfile.TemporaryDirectory() as folder:
        children = [forked(partial(_work, rank, work, Path(folder))) for rank in range(2)]
        done = [ended(child, 2 * PATIENCE.total_seconds()) for child in children]
        if not all(done):
            raise Broken("a process does not come to an end")
        return {name: _answers(Path(folder), number, name) for number, name in enumerate(work)}


def _answers(folder: Path, number: int, name: str) -> tuple[Gradients, Gradients]:
    with told_of(name):
        return _answer(folder, number, 0), _answer(folder, number, 1)


def _answer(folder: Path, number: int, rank: int) -> Gradients:
    failure = folder / f"{number}-{rank}.txt"
    if failure.exists():
        raise Broken(f"process {rank} fails: {failure.read_text(encoding='utf-8')}")
    return torch.load(folder / f"{number}-{rank}.pt", weights_only=True)


def _work(rank: int, work: Work, folder: Path) -> None:
    number = 0
    try:
        torch.set_num_threads(1)  # the parent's threads are not there, and one would wait for them
        store = dist.FileStore(str(folder / "store"), 2)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=2, timeout=PATIENCE)
        for number, (model, batch) in enumerate(work.values()):
            torch.save(_gradients(rank, model, batch), folder / f"{number}-{rank}.pt")
        dist.destroy_process_group()
    except BaseException as error:
        last = traceback.format_exception_only(error)[-1].strip()
        (folder / f"{number}-{rank}.txt").write_text(last, encoding="utf-8")


def _gradients(rank: int, model: AdaptedModel, batch: tuple[Tensor, Tensor]) -> Gradients:
    parallel = DistributedDataParallel(model.train())
    inputs, targets = (part.tensor_split(2)[rank] for part in batch)
    for _ in range(2):  # the second pass is where DDP complains of what the first did not use
        model.zero_grad()
        torch.manual_seed(rank)
        parallel(inputs, targets).backward()
    return {n: p.grad for n, p in model.trained_parameters().items() if p.grad is not None}
