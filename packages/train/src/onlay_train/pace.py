"""How fast an epoch goes by, in which precision, and whether a run that goes on keeps to both:
schedules count steps, and a launcher may decide the precision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from onlay.errors import RunError
from onlay_train.sampler import Plan


def pace(plan: Plan) -> dict[str, int]:
    """What a checkpoint tells of the start that wrote it; `samples` are those of a full step."""
    return {"steps": plan.steps(), "processes": plan.world, "samples": plan.samples}


def require_same_pace(plan: Plan, content: Mapping[str, Any]) -> None:
    """Does a step see as many samples as before, or an epoch have as many steps?

    Raises:
        RunError: neither; learning rates would be those of other steps.
    """
    unsaid = replace(plan, world=len(content["generators"]))  # what older checkpoints tell
    then, now = content.get("pace") or pace(unsaid), pace(plan)
    if then["samples"] == now["samples"] or then["steps"] == now["steps"]:
        return
    batch, rest = divmod(then["samples"], plan.parts)
    other = f", or with `train.batch_size={batch}`, so that a step sees as many" if not rest else ""
    raise RunError(
        f"this run was begun with {_told(then)}; this start has {_told(now)}, and the learning rate"
        f" goes by the step: start it on {_processes(then)}{other}"
    )


def require_same_precision(now: str, content: Mapping[str, Any]) -> None:
    """What `train.precision` leaves to the launcher is told by the checkpoint alone.

    Raises:
        RunError: it is another one; what follows would be no part of the same training.
    """
    then = content.get("precision", now)  # older checkpoints do not tell
    if then != now:
        raise RunError(
            f"this run was begun in the mixed precision `{then}`, and this start has `{now}`: start"
            f" it with `accelerate launch --mixed_precision {then}`, or with"
            f" `ACCELERATE_MIXED_PRECISION={then}` in the environment"
        )


def _told(pace: Mapping[str, int]) -> str:
    steps = "1 step" if pace["steps"] == 1 else f"{pace['steps']:,} steps"
    return f"{steps} an epoch on {_processes(pace)}"


def _processes(pace: Mapping[str, int]) -> str:
    return "1 process" if pace["processes"] == 1 else f"{pace['processes']:,} processes"
