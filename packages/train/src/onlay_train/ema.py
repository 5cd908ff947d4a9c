"""Exponential moving average of the trained tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


class Average:
    """Keeps `decay * average + (1 - decay) * tensor` for every trained tensor."""

    def __init__(self, tensors: Mapping[str, Tensor], decay: float) -> None:
        self.live, self.decay = dict(tensors), decay  # counters are carried along, not averaged
        self.state = {name: tensor.detach().clone() for name, tensor in tensors.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the tensors as they are after a step."""
        for name, tensor in self.live.items():
            if tensor.is_floating_point():
                self.state[name].lerp_(tensor, 1 - self.decay)
            else:
                self.state[name].copy_(tensor)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model carries the average inside, and its own weights again afterwards."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def adopt(self) -> None:
        """The average becomes the model's own weights."""
        for name, tensor in self.live.items():
            tensor.copy_(self.state[name])

    @torch.no_grad()
    def _swap(self) -> None:
        for name, tensor in self.live.items():
            kept = tensor.detach().clone()
            tensor.copy_(self.state[name])
            self.state[name].copy_(kept)
