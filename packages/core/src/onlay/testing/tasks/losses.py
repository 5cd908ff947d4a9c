"""What a loss is of a batch, of its inputs, and of targets that are mixed."""

from __future__ import annotations

from itertools import combinations
from math import isclose, isfinite
from typing import Any

import torch
from torch import Tensor

from onlay.batches import joined, rows
from onlay.testing.checking import require
from onlay.testing.tasks.case import BATCH, TaskCase
from onlay.testing.tasks.heads import as_wished, changed_in

CLOSE = 1e-3
"""Relative, for sums that are taken in another order."""


def no_loss(case: TaskCase) -> str:
    return "" if hasattr(case.head(), "loss") else "the head has no `loss` of an output alone"


def check_loss_is_a_mean(case: TaskCase) -> None:
    """`loss` is a mean over the batch: where no input bears on what another one adds to it, an
    input that is there twice has the loss that it has alone."""
    head = case.moved()
    output = _output(case, head)
    if not _is_of_each(head, output, case.targets):
        return
    for index in range(BATCH):
        alone = _only(output, index), _only(case.targets, index)
        once = _loss(head, *alone)
        twice = _loss(head, *(joined([tree, tree]) for tree in alone))
        seen = f"input {index} has a loss of {once:.4g}, and of {twice:.4g} when it is there twice"
        require(not isfinite(once) or _near(once, twice), seen)


def no_weights(case: TaskCase) -> str:
    return "" if hasattr(case.head(), "weight_of") else "the head has no `weight_of`"


def check_weights_add_up(case: TaskCase) -> None:
    """`weight_of`, if there is one, gives for the targets of a batch one number, finite and not
    below 0, to which those of its inputs add up, or None."""
    head = case.moved()
    whole = head.weight_of(case.targets)
    if whole is None:
        return
    alone = [head.weight_of(_only(case.targets, index)) for index in range(BATCH)]
    for weight in (whole, *alone):
        fits = isinstance(weight, Tensor) and weight.ndim == 0
        require(fits, f"`weight_of` gives {weight!r}, and not a tensor of one number")
        fits = isfinite(weight.item()) and weight.item() >= 0
        require(fits, f"`weight_of` gives {weight.item():.4g}")
    total, batch = sum(weight.item() for weight in alone), whole.item()
    seen = f"the weights of the inputs add up to {total:.4g}, and the batch has {batch:.4g}"
    require(_near(total, batch), seen)


def no_weights_of_a_loss(case: TaskCase) -> str:
    return no_loss(case) or no_weights(case)


def check_loss_is_the_mean_by_weights(case: TaskCase) -> None:
    """Where there is a `weight_of`, and no input bears on what another one adds to the loss, that
    of a batch is the mean of its inputs' losses by these weights; None weighs all alike."""
    head = case.moved()
    output = _output(case, head)
    if not _is_of_each(head, output, case.targets):
        return
    pairs = [_weighed(head, _only(output, n), _only(case.targets, n)) for n in range(BATCH)]
    counted = [(weight, loss) for weight, loss in pairs if weight > 0]
    total = sum(weight for weight, _ in counted)
    if not total or not all(isfinite(loss) for _, loss in counted):
        return
    mean, batch = sum(w * loss for w, loss in counted) / total, _loss(head, output, case.targets)
    seen = f"the mean of the inputs' losses by `weight_of` is {mean:.4g}, and the batch's loss"
    require(_near(mean, batch), f"{seen} {batch:.4g}")


def _weighed(head: Any, output: Any, targets: Any) -> tuple[float, float]:
    """Weight and loss of a single input."""
    weight = head.weight_of(targets)
    return 1.0 if weight is None else weight.item(), _loss(head, output, targets)


def no_soft_targets(case: TaskCase) -> str:
    has = getattr(case.head(), "soft_targets", None) is not None
    return "" if has else "the head has no `soft_targets`"


@torch.no_grad()
def check_soft_targets_are_shares(case: TaskCase) -> None:
    """`soft_targets`, if there is one, gives floats (B, C) that the loss takes; of targets that are
    classes these are shares of the labels, which sum to 1, and a share of 1 has the loss of its
    class."""
    head = case.moved()
    soft = head.soft_targets(case.targets)
    _are_floats(soft, len(case.data[0]) if case.of_classes else None)
    found, hard = (_trained(case, head, targets) for targets in (soft, case.targets))
    require(isfinite(found), f"the loss of `soft_targets` is {found}")
    if not case.of_classes:  # whether others are smoothed cannot be seen
        return
    fits = torch.allclose(soft.sum(1), soft.new_ones(()), atol=1e-3)
    require(fits and bool((soft >= 0).all()), "rows of `soft_targets` are no shares that sum to 1")
    if bool((soft.amax(1) == 1).all()):
        seen = f"the loss of the classes is {hard:.4g}, and {found:.4g} of their `soft_targets`"
        require(_near(found, hard), seen)


def _are_floats(soft: Any, classes: int | None) -> None:
    fits = isinstance(soft, Tensor) and soft.is_floating_point() and soft.ndim == 2
    told = f"`{soft.dtype}` {tuple(soft.shape)}" if isinstance(soft, Tensor) else f"{soft!r}"
    wanted = (BATCH, classes or "C")
    fits = fits and len(soft) == BATCH and classes in (None, soft.shape[1])
    require(fits, f"`soft_targets` gives {told}, and not floats ({wanted[0]}, {wanted[1]})")


def _trained(case: TaskCase, head: Any, targets: Any) -> float:
    torch.manual_seed(0)
    return case.loss(head, case.features(head), targets).item()


def _output(case: TaskCase, head: Any) -> Any:
    return changed_in(head(case.features(head)), Tensor.detach)


def _only(tree: Any, index: int) -> Any:
    """A batch of this input alone."""
    return rows(tree, slice(index, index + 1))


@torch.no_grad()
def _loss(head: Any, output: Any, targets: Any) -> float:
    return head.loss(output, targets).item()


def _near(one: float, other: float) -> bool:
    return isclose(one, other, rel_tol=CLOSE, abs_tol=1e-5)


def _is_of_each(head: Any, output: Any, targets: Any) -> bool:
    """Whether the loss is a sum of what each input adds, as Dice over a batch or a loss of pairs is
    not: then two batches that exchange the output of an input keep the sum of their losses. One
    that draws random numbers tells nothing."""
    drawn = torch.get_rng_state()
    ends = [as_wished(head, output, targets, sign) for sign in (1.0, -1.0)]
    pairs = combinations((output, *ends), 2)
    kept = all(_exchanged(head, *pair, targets, n) for pair in pairs for n in range(BATCH))
    return kept and torch.equal(torch.get_rng_state(), drawn)


def _exchanged(head: Any, one: Any, other: Any, targets: Any, index: int) -> bool:
    """Whether exchanging the outputs of this input leaves the sum of two losses as it is."""
    before = [_loss(head, tree, targets) for tree in (one, other)]
    mixed = _with(one, other, index), _with(other, one, index)
    after = [_loss(head, tree, targets) for tree in mixed]
    size = sum(map(abs, before + after))
    return isfinite(size) and abs(sum(before) - sum(after)) <= 1e-4 * size + 1e-7


def _with(tree: Any, other: Any, index: int) -> Any:
    """The batch with the other one's output for this input."""
    return joined(
        [rows(tree, slice(index)), _only(other, index), rows(tree, slice(index + 1, None))]
    )
