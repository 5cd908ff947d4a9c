"""The generators of random numbers of the host: python's, numpy's and torch's."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def generators_kept() -> Iterator[None]:
    """Leave the host generators as they were, whatever is drawn inside."""
    back = _way_back()
    try:
        yield
    finally:
        back()


@contextmanager
def seeds_kept() -> Iterator[None]:
    """Where torch is seeded inside, leave the host generators as they were: else all that is drawn
    afterwards would be the same for every seed of a run. What is only drawn moves them on."""
    seed, back = torch.initial_seed(), _way_back()
    try:
        yield
    finally:
        if torch.initial_seed() != seed:
            back()


def _way_back() -> Callable[[], None]:
    python, numpy_, torch_ = random.getstate(), np.random.get_state(), torch.get_rng_state()

    def back() -> None:
        random.setstate(python)
        np.random.set_state(numpy_)
        torch.set_rng_state(torch_)

    return back


def seed_host(*entropy: int) -> None:
    """Seed the host's generators alone; those of devices stay as they are."""
    first, second = (int(word) for word in np.random.SeedSequence(entropy).generate_state(2))
    random.seed(first)
    np.random.seed(second)
    torch.default_generator.manual_seed(first << 32 | second)
