"""The losses of labels that an input has or has not, each for itself.

Shapes: B batch, C labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

TINY = 1e-8
"""Below it a power of a probability has no use, and its gradient may have no bound."""


@dataclass(frozen=True)
class LabelLoss:
    """Of a label that is there, found with probability p: `there` (1 - p)^`gamma_pos` (-log p); of
    one that is not: `absent` q^`gamma_neg` (-log(1 - q)), where q is p - `clip`, at least 0.

    All weights 1 and the rest 0: binary cross-entropy. One gamma, `there` alpha and `absent`
    1 - alpha: focal loss (Lin et al. 2017, equation 5). Two gammas and a `clip`: asymmetric loss
    (Ridnik et al. 2021, equations 4 to 7).

    >>> LabelLoss(gamma_pos=2.0, gamma_neg=2.0)(torch.tensor([0.0]), torch.tensor([1.0]))
    tensor([0.1733])
    """

    there: float = 1.0
    absent: float = 1.0
    gamma_pos: float = 0.0
    gamma_neg: float = 0.0
    clip: float = 0.0

    def __call__(self, logits: Tensor, targets: Tensor, pos_weight: Tensor | None = None) -> Tensor:
        """The loss of each label, in the shape of `logits`; targets are 0, 1 or between, and then
        both count by their share."""
        logits = logits.float()
        there = self.there * targets if pos_weight is None else self.there * pos_weight * targets
        missed = torch.sigmoid(-logits).clamp(min=TINY) ** self.gamma_pos
        return self._absent(logits, targets) - there * missed * functional.logsigmoid(logits)

    def _absent(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self.clip:
            found = (torch.sigmoid(logits) - self.clip).clamp(min=TINY)
            loss = -torch.log1p(-found)
        else:
            found = torch.sigmoid(logits).clamp(min=TINY)
            loss = -functional.logsigmoid(-logits)
        return self.absent * (1 - targets) * found**self.gamma_neg * loss
