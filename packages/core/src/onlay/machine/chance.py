"""The generators of random numbers of the host: python's, numpy's and torch's."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def generators_kept() -> Iterator[None]:
    """Leave the host generators as they were, whatever is drawn inside."""
    python, numpy_, torch_ = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_)
        torch.set_rng_state(torch_)


def seed_host(*entropy: int) -> None:
    """Seed the host's generators alone; those of devices stay as they are."""
    first, second = (int(word) for word in np.random.SeedSequence(entropy).generate_state(2))
    random.seed(first)
    np.random.seed(second)
    torch.default_generator.manual_seed(first << 32 | second)
