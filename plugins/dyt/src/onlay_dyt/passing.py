"""Which pass a batch is: with gates, complete, or both side by side.

Shapes: B batch, T tokens.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.batches import rows, size_of
from onlay.recompute import recomputing
from onlay_dyt.config import DytConfig


class Passing(nn.Module):
    """One for the whole network: the rates of all blocks, and their loss."""

    def __init__(self, config: DytConfig) -> None:
        super().__init__()
        self.config = config
        self.gates: dict[int, Tensor] = {}
        """By block, the mean gate of the pass that is under way."""
        self.doubled = 0
        """Inputs of the batch under way if its second half is the complete network's, else 0."""

    def note(self, block: int, gates_BT: Tensor) -> None:
        """The gates of a block's own tokens, of the inputs that are dispatched."""
        if self.training and not recomputing():
            self.gates[block] = gates_BT.mean()

    def auxiliary_loss(self) -> Tensor:
        """weight * (mean over inputs, blocks and tokens - r)²; blocks may differ."""
        if not (self.training and self.gates):
            return torch.zeros(())
        mean = torch.stack([*self.gates.values()]).mean()
        self.gates.clear()
        return self.config.rate_weight * (mean - self.config.rate) ** 2


class Taught(Passing):
    """With the complete network as a teacher."""

    apart: Tensor | None = None
    """The divergence of the batch under way."""

    def views(self, inputs: Any) -> Any:
        """The batch twice: dispatched, and complete."""
        self.doubled = 2 * len(inputs)
        return torch.cat([inputs, inputs])

    def loss(self, output: Any, targets: Any, head: Any) -> Tensor:
        """The task's loss of both; of classes the divergence of the first from the second is kept
        for `auxiliary_loss`."""
        self.doubled = 0
        half = size_of(output) // 2
        own, whole = rows(output, slice(half)), rows(output, slice(half, None))
        if is_classifier(head, own):  # a mean over inputs, whatever weights their classes have
            self.apart = divergence(whole, own)
        return head.loss(own, targets) + head.loss(whole, targets)

    def auxiliary_loss(self) -> Tensor:
        """What the rates cost, and the divergence of the batch whose loss was just taken."""
        apart, self.apart = self.apart, None
        rates = super().auxiliary_loss()
        return rates if apart is None else rates + apart


def is_classifier(head: Any, output: Any) -> bool:
    """Whether the output is logits (B, C) of classes of which one is right."""
    of_classes = isinstance(output, Tensor) and output.ndim == 2
    return of_classes and getattr(head, "main_metric", "") == "top1"


def divergence(teacher_BC: Tensor, student_BC: Tensor) -> Tensor:
    """KL(softmax(teacher) || softmax(student)), the mean over inputs; no gradient reaches the
    teacher."""
    wanted = teacher_BC.detach().log_softmax(-1)
    return F.kl_div(student_BC.log_softmax(-1), wanted, reduction="batchmean", log_target=True)
