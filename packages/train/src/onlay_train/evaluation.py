"""Metrics of one part of the data."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchmetrics import SumMetric

from onlay.batches import rows, size_of, stacked, tensors_of
from onlay_train.loaders import Collate, eval_loader, size
from onlay_train.sampler import ShardSampler

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel


Seen = Callable[[Any, Any], None]
"""Is shown the outputs and targets of a batch."""


class Evaluation:
    """One part, ready to be evaluated again and again; every process works on its share."""

    def __init__(
        self,
        dataset: Dataset[Any],
        accelerator: Accelerator,
        *,
        batch_size: int,
        workers: int,
        collate: Collate = stacked,
    ) -> None:
        self.accelerator, self.dataset = accelerator, dataset
        self.broken = False
        """Whether an output of the latest evaluation was no number, in any process."""
        self.sampler = ShardSampler(
            size(dataset),
            batch_size,
            accelerator.process_index,
            accelerator.num_processes,
        )
        self.loader = eval_loader(
            dataset, self.sampler, workers=workers, device=accelerator.device, collate=collate
        )

    @torch.no_grad()
    def __call__(
        self,
        model: nn.Module,
        plain: AdaptedModel,
        between: Callable[[], None] = lambda: None,
        seen: Seen = lambda output, targets: None,
    ) -> dict[str, float]:
        """The task's metrics and its mean `loss`, if an output alone has one, over all processes.

        `model` is what is called, `plain` the same model unwrapped; `between` is called between
        batches and may raise. `seen` is shown the outputs and targets of this process.

        Where an output is no number (NaN, or infinite upwards), no metric is one: the likeliest of
        no numbers would be some class all the same, and may be right.
        """
        metrics = plain.head.metrics().to(self.accelerator.device)
        # a sum that is no number stays none; `MeanMetric` leaves such values out, or all weights
        loss, weights, broken = (
            SumMetric(nan_strategy="disable").to(self.accelerator.device) for _ in range(3)
        )
        left, lossy = self.sampler.own, hasattr(plain.head, "loss")
        model.eval()
        for batch in self.loader:
            between()
            inputs, targets = send_to_device(batch, self.accelerator.device, non_blocking=True)
            output, given = model(inputs), size_of(inputs)
            own = min(left, given)
            left -= own
            if own < given:  # what was repeated to make the shares equal does not count
                output, targets = rows(output, slice(own)), rows(targets, slice(own))
            if own and lossy:  # first, for it refuses wrong targets in words
                value, weight = plain.head.loss(output, targets), self._weight(plain, targets, own)
                if weight > 0:
                    loss.update(value * weight)
                    weights.update(weight)
            if own:
                broken.update(sum(_broken(tensor) for tensor in tensors_of(output)))
                metrics.update(output, targets)
                seen(output, targets)
        told = {"loss": float(loss.compute() / weights.compute())} if lossy else {}
        self.broken = bool(broken.compute() > 0)
        return told | {k: nan if self.broken else float(v) for k, v in metrics.compute().items()}

    @staticmethod
    def _weight(plain: AdaptedModel, targets: Any, count: int) -> Any:
        """What a batch counts in the mean loss: its samples, or their class weights."""
        weigh = getattr(plain.head, "weight_of", None)
        weight = weigh(targets) if weigh else None
        return count if weight is None else weight


def _broken(output: Tensor) -> Tensor:
    """Is there what no healthy network gives? Minus infinity may be that of a class that cannot
    be."""
    return (output.isnan() | output.isposinf()).any()
