"""Batch norms that move their statistics once a step."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from onlay.recompute import recomputing


class StepNorm(nn.BatchNorm1d):
    """A repetition under gradient checkpointing normalises alike and moves nothing again."""

    def forward(self, input: Tensor) -> Tensor:
        if not (self.training and recomputing()):
            return super().forward(input)
        kept = self.running_mean, self.running_var
        return F.batch_norm(input, *kept, self.weight, self.bias, True, 0.0, self.eps)
