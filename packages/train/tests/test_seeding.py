from __future__ import annotations

import random
from itertools import product
from typing import Any

import numpy as np
import torch

from onlay_train.loaders import train_loader
from onlay_train.sampler import Plan, PositionedSampler
from onlay_train.seeding import SeededItems, generator_states, restore_generators, seed_all


class Draws(torch.utils.data.Dataset[Any]):
    """Item `i` is (i, what each of the three generators gives next)."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> tuple[torch.Tensor, float]:
        drawn = [random.random(), float(np.random.rand()), float(torch.rand(()))]
        return torch.tensor([float(index), *drawn], dtype=torch.float64), index


def rows(workers: int, epoch: int, offset: int = 0) -> dict[float, list[float]]:
    sampler = PositionedSampler(Plan(size=12, batch_size=4, seed=3))
    sampler.epoch, sampler.offset = epoch, offset
    loader = train_loader(Draws(), sampler, workers=workers, device=torch.device("cpu"))
    return {row[0]: row[1:] for inputs, _ in loader for row in inputs.tolist()}


def test_augmentation_is_the_same_with_workers_and_after_a_resume() -> None:
    here = rows(workers=0, epoch=1)
    assert len(here) == 12
    assert rows(workers=2, epoch=1) == here
    resumed = rows(workers=0, epoch=1, offset=8)
    assert len(resumed) == 4
    assert resumed == {index: here[index] for index in resumed}


def test_augmentation_differs_between_samples_epochs_and_seeds() -> None:
    keys = product((0, 1), repeat=3)
    rows = [SeededItems(Draws(), seed)[epoch, index][0] for seed, epoch, index in keys]
    assert len({tuple(row[1:].tolist()) for row in rows}) == 8


def test_reading_samples_leaves_the_generators_of_the_training_alone() -> None:
    seed_all(7)
    untouched = [random.random(), float(np.random.rand()), float(torch.rand(()))]
    seed_all(7)
    rows(workers=0, epoch=0)
    assert [random.random(), float(np.random.rand()), float(torch.rand(()))] == untouched


def test_generators_go_on_from_saved_states(tmp_path: Any) -> None:
    seed_all(1)
    np.random.randn(3)  # an odd number leaves a cached second Gaussian behind
    random.gauss(0, 1)
    torch.save(generator_states(), tmp_path / "states.pt")
    expected = [random.gauss(0, 1), float(np.random.randn()), float(torch.rand(()))]
    seed_all(2)
    restore_generators(torch.load(tmp_path / "states.pt", weights_only=True))
    assert [random.gauss(0, 1), float(np.random.randn()), float(torch.rand(()))] == expected
