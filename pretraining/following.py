"""A network that learns, and the average of its weights, which is what is shipped."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn


class Pair(nn.Module):
    """`student` and `teacher` hold the same parts by name; `encoder` is the backbone."""

    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        self.student = nn.ModuleDict(parts)
        self.teacher = deepcopy(self.student).requires_grad_(False)

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Move the teacher by 1 - decay of the way; counters are copied."""
        theirs = self.student.state_dict().values()
        for own, other in zip(self.teacher.state_dict().values(), theirs, strict=True):
            if own.is_floating_point():
                own.lerp_(other, 1 - decay)
            else:
                own.copy_(other)
