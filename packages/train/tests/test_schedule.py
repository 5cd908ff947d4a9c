from __future__ import annotations

import pytest
import torch

from onlay.config.train import TrainConfig
from onlay_train.schedule import Rates, learning_rate, make_schedule


def test_warm_up_rises_in_equal_parts_and_the_cosine_falls_to_the_floor() -> None:
    config = TrainConfig(lr=1.0, min_lr=0.2, warmup_lr=0.0)
    rates = [learning_rate(step, total=12, warmup=4, config=config) for step in range(13)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[8] == pytest.approx(0.2 + 0.8 * 0.5)  # half of the cosine
    assert rates[6] == pytest.approx(0.2 + 0.8 * (1 + 2**-0.5) / 2)  # a quarter
    assert rates[12] == pytest.approx(0.2)


def test_warm_up_starts_from_its_own_rate() -> None:
    config = TrainConfig(lr=1.0, warmup_lr=0.5)
    assert learning_rate(0, total=9, warmup=1, config=config) == pytest.approx(0.75)


def test_steps_follow_the_schedule_and_groups_keep_their_ratio() -> None:
    config = TrainConfig(epochs=4, warmup_epochs=1.0, lr=0.1)
    slow, fast = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer = torch.optim.AdamW([{"params": [slow], "lr": 0.01}, {"params": [fast]}], lr=0.1)
    schedule = make_schedule(optimizer, Rates(config, steps_per_epoch=2))
    seen = []
    for _ in range(8):
        seen.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    assert [fast for _, fast in seen[:3]] == pytest.approx([0.1 / 3, 0.2 / 3, 0.1])
    assert seen[5] == pytest.approx([0.005, 0.05])  # half way down: 3 of 6 steps
    assert all(fast == pytest.approx(10 * slow) for slow, fast in seen)


def test_warm_up_is_a_tenth_of_the_epochs_unless_given() -> None:
    assert TrainConfig(epochs=30).warmup == 3
    assert TrainConfig(epochs=30, warmup_epochs=0).warmup == 0


def rates_of(steps: int, **settings: object) -> list[float]:
    """Of a run of four epochs of three steps, the first of which is warm-up."""
    config = TrainConfig(epochs=4, lr=1.0, warmup_epochs=1.0, **settings)
    return [Rates(config, steps_per_epoch=3).at(step) for step in range(steps)]


def test_constant_stays_after_warm_up() -> None:
    assert rates_of(12, sched="constant", min_lr=0.1) == pytest.approx([0.25, 0.5, 0.75] + 9 * [1])


def test_steps_multiply_every_few_epochs_down_to_the_floor() -> None:
    found = rates_of(12, sched="step", decay_epochs=1.5, decay_rate=0.5, min_lr=0.3)
    # from step 4.5 on a half, from step 9 on a quarter, which is below the floor
    assert found[3:] == pytest.approx([1, 1, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3])
    thirds = TrainConfig(epochs=3, lr=1.0, warmup_epochs=0, sched="step")
    assert [Rates(thirds, 2).at(step) for step in range(6)] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01, 0.01]
    )


def test_poly_takes_a_power_of_what_is_left() -> None:
    found = rates_of(12, sched="poly", poly_power=2.0, min_lr=0.1)
    assert found[3:] == pytest.approx([0.1 + 0.9 * (left / 9) ** 2 for left in range(9, 0, -1)])
