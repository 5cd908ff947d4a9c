"""Whether a run that goes on counts its steps as before."""

from __future__ import annotations

import pytest

from onlay.errors import RunError
from onlay_train.pace import pace, require_same_pace, require_same_precision
from onlay_train.sampler import Plan


def test_a_checkpoint_tells_steps_processes_and_samples() -> None:
    plan = Plan(size=67, batch_size=4, accumulate=2, world=2)
    assert pace(plan) == {"steps": 4, "processes": 2, "samples": 16}


def test_an_older_checkpoint_tells_by_its_generators() -> None:
    two = Plan(size=68, batch_size=4, world=2)
    with pytest.raises(RunError) as caught:
        require_same_pace(two, {"generators": [{}]})
    assert str(caught.value) == (
        "this run was begun with 17 steps an epoch on 1 process; this start has 9 steps an epoch on"
        " 2 processes, and the learning rate goes by the step: start it on 1 process, or with"
        " `train.batch_size=2`, so that a step sees as many"
    )
    require_same_pace(two, {"generators": [{}, {}]})


def test_a_batch_is_proposed_only_where_it_makes_the_same_step() -> None:
    then = {"steps": 22, "processes": 1, "samples": 3}
    with pytest.raises(RunError, match=r"start it on 1 process$"):
        require_same_pace(Plan(size=68, batch_size=3, world=2), {"generators": [{}], "pace": then})


@pytest.mark.parametrize(("size", "steps"), [(70, 18), (64, 16)])
def test_as_many_samples_or_as_many_steps_are_the_same_pace(size: int, steps: int) -> None:
    """What is left over of 70 samples is a step of one process and none of two."""
    then = {"steps": steps, "processes": 1, "samples": 4 if size == 70 else 99}
    plan = Plan(size=size, batch_size=2, world=2)
    assert plan.steps() <= steps
    require_same_pace(plan, {"generators": [{}], "pace": then})


def test_a_precision_that_the_launcher_decides_stays() -> None:
    require_same_precision("no", {})  # of an older checkpoint
    require_same_precision("bf16", {"precision": "bf16"})
    with pytest.raises(RunError, match=r"begun in the mixed precision `bf16`, .* has `no`: "):
        require_same_precision("no", {"precision": "bf16"})
