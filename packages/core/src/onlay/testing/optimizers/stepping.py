"""Steps, and what is left of them."""

from __future__ import annotations

import io

import torch
from torch import Tensor

from onlay.testing.checking import require
from onlay.testing.optimizers.case import RATE, OptimizerCase, Problem
from onlay.testing.states import changed


def check_lowers_a_loss(case: OptimizerCase) -> None:
    """Thirty steps on a small problem lower its loss."""
    problem = Problem()
    optimizer = case.made(problem)
    kind = type(optimizer).__name__
    require(isinstance(optimizer, torch.optim.Optimizer), f"it is a `{kind}`, no torch optimizer")
    before = problem.loss().item()
    problem.step(optimizer, 30)
    after = problem.loss().item()
    require(after < before, f"the loss goes from {before:.4g} to {after:.4g}")


def check_follows_the_rates_of_groups(case: OptimizerCase) -> None:
    """The schedule moves a group's `lr`: a group whose rate is 0 stays bit for bit as it is, while
    another one moves."""
    problem = Problem()
    optimizer = case.made(problem)
    optimizer.param_groups[1]["lr"] = 0.0
    before = problem.tensors
    problem.step(optimizer, 2)
    moved = changed(before, problem.tensors)
    require(moved == "`matrix`", f"with the shift's rate at 0 {moved or 'nothing'} moves")


def check_size_of_a_rate_counts(case: OptimizerCase) -> None:
    """Steps follow the size of a group's `lr`: a tenth of a rate ends elsewhere."""
    ends = [_matrix_after(case, rate=rate) for rate in (RATE, RATE / 10)]
    require(
        not torch.equal(*ends), "with a tenth of the rate the parameters end at the same values"
    )


def check_follows_the_decay_of_groups(case: OptimizerCase) -> None:
    """Steps follow a group's `weight_decay`: with 0.5 its parameters end elsewhere than with 0."""
    ends = [_matrix_after(case, decay=decay) for decay in (0.0, 0.5)]
    seen = "with a `weight_decay` of 0.5 the parameters of a group end at the same values"
    require(not torch.equal(*ends), seen)


def _matrix_after(case: OptimizerCase, *, rate: float = RATE, decay: float = 0.0) -> Tensor:
    """Where three steps lead, since the first one of some optimizers moves nothing."""
    problem = Problem()
    torch.manual_seed(7)
    optimizer = case.made(problem, decay=decay)
    for group in optimizer.param_groups:  # as a schedule does it
        group["lr"] = rate
    problem.step(optimizer, 3)
    return problem.tensors["matrix"]


def check_steps_alike_under_a_seed(case: OptimizerCase) -> None:
    """Two trainings under one seed give the same values, bit for bit: every random number comes
    from torch's generator."""
    ends = []
    for _ in range(2):
        problem = Problem()
        torch.manual_seed(7)
        problem.step(case.made(problem), 2)
        ends.append(problem.tensors)
    require(not (names := changed(*ends)), f"{names} differ between two equal trainings")


def check_goes_on_from_its_state(case: OptimizerCase) -> None:
    """Its `state_dict`, written and read back without running code, lets a fresh optimizer go on
    bit for bit."""
    first, second = Problem(), Problem()
    optimizer = case.made(first)
    first.step(optimizer, 2)
    file = io.BytesIO()
    torch.save({"state": optimizer.state_dict(), "tensors": first.tensors}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    with torch.no_grad():
        second.matrix.copy_(saved["tensors"]["matrix"])
        second.shift.copy_(saved["tensors"]["shift"])
    afresh = case.made(second)
    afresh.load_state_dict(saved["state"])
    ends = []
    for problem, each in ((first, optimizer), (second, afresh)):
        torch.manual_seed(7)
        problem.step(each, 2)
        ends.append(problem.tensors)
    require(not (names := changed(*ends)), f"{names} differ after two more steps")
