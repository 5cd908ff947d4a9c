"""What each batch of a step counts, where batches do not count alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

Share = float | Tensor


def shared(
    batches: Iterable[Any], head: Any, accelerator: Accelerator, accumulate: int
) -> Iterator[tuple[Any, Share]]:
    """Every batch with what its loss is to be multiplied by, so that the mean over the batches of a
    step, accumulated ones and those of other processes, is the loss of all their samples at once.

    That is 1, but where the head weighs its targets (`weight_of`): then all targets of a step are
    looked at before its first batch is given out.
    """
    parts, batches = accumulate * accelerator.num_processes, iter(batches)
    weigh = getattr(head, "weight_of", None)
    for first in batches:
        if parts == 1 or weigh is None or weigh(first[1]) is None:
            yield first, 1.0
            continue
        step = list(chain([first], islice(batches, accumulate - 1)))
        own = torch.stack([weigh(targets) for _, targets in step]).to(accelerator.device)
        total: Any = accelerator.reduce(own.sum(), "sum")
        yield from zip(step, own * parts / torch.where(total > 0, total, 1), strict=True)
