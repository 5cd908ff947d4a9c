"""A head at work on features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from onlay.batches import mapped, row, size_of, tensors_of
from onlay.model.pieces import put_together
from onlay.task import Position
from onlay.testing.checking import require
from onlay.testing.states import apart, bits, changed, listed
from onlay.testing.tasks.case import BATCH, TaskCase

CLOSE = 1e-4
STEPS, WISHES = 10, 20
"""On parameters, and on outputs."""


def check_keeps_its_labels(case: TaskCase) -> None:
    """The head has the data's labels, in their order, and the levels that it asks for exist."""
    head = case.head()
    require(tuple(head.labels) == case.data[0], f"its labels are {head.labels}")
    depth = len(case.built.anatomy.blocks)
    alien = [level for level in getattr(head, "levels", ()) if not 0 <= level < depth]
    require(not alien, f"there are {depth} blocks, and it asks for {alien}")


def check_parts_are_its_own(case: TaskCase) -> None:
    """Modules that the head tells apart in `parts` are its own, under names that reports do not
    use for something else."""
    head = case.head()
    taken = {"method", "head", "other", "backbone"} & getattr(head, "parts", {}).keys()
    require(not taken, f"{listed(sorted(taken))} is told of every model")
    own = set(head.modules())
    alien = [name for name, part in getattr(head, "parts", {}).items() if part not in own]
    require(not alien, f"{listed(alien)} is no module of the head")


def check_is_the_same_under_a_seed(case: TaskCase) -> None:
    """Two heads that are made under one seed start with the same values."""
    names = changed(bits(case.head()), bits(case.head()))
    require(not names, f"{names} differ under one seed")


def check_output_and_loss_are_finite(case: TaskCase) -> None:
    """The output has the batch first in each of its tensors, the loss is a scalar, both are finite,
    and the loss has a gradient."""
    head = case.moved()
    output = head(case.features(head))
    _has_the_batch_first(output)
    require(all(bool(t.isfinite().all()) for t in tensors_of(output)), "the output is not finite")
    loss = case.loss(head, case.features(head))
    require(loss.ndim == 0, f"the loss has the shape {tuple(loss.shape)}")
    require(bool(loss.isfinite()), f"the loss is {loss.item()}")
    require(loss.requires_grad, "the loss has no gradient")


def _has_the_batch_first(output: Any) -> None:
    mapped(_of_the_batch, output)
    require(size_of(output) == BATCH, f"the output of {BATCH} inputs has {size_of(output)}")


def _of_the_batch(leaf: Any) -> None:
    size = f"is {tuple(leaf.shape)}" if isinstance(leaf, Tensor) else f"has {len(leaf)} entries"
    require(len(leaf) == BATCH, f"a leaf of the output of {BATCH} inputs {size}")


def check_every_parameter_gets_a_gradient(case: TaskCase) -> None:
    """In training every parameter of the head gets a gradient that is not zero."""
    head, reached = case.moved().train(), set()
    for seed in range(2):
        torch.manual_seed(seed)
        case.loss(head, case.features(head)).backward()
        reached |= {n for n, p in head.named_parameters() if p.grad is not None and p.grad.any()}
    idle = [name for name, _ in head.named_parameters() if name not in reached]
    require(not idle, f"{listed(idle)} never gets a gradient")


def check_steps_lower_the_loss(case: TaskCase) -> None:
    """Steps of training on one batch, large ones or small ones, lower its loss."""
    before, after = _after_steps(case, 0.01)
    if after >= before:  # as of many layers, each of which changes the next one's input
        before, after = _after_steps(case, 0.0005)
    require(after < before, f"the loss goes from {before:.4g} to {after:.4g}")


def _after_steps(case: TaskCase, size: float) -> tuple[float, float]:
    """The loss before and after."""
    head = case.head()
    features = case.features(head)
    torch.manual_seed(0)
    before = case.loss(head, features).item()
    parameters = list(head.parameters())
    for _ in range(STEPS):
        _step_down(case.loss(head.train(), features), parameters, size)
    return before, case.loss(head.eval(), features).item()


def check_is_finite_in_bfloat16(case: TaskCase) -> None:
    """Under bfloat16 autocast the loss and the gradients of the head are finite."""
    head = case.moved().train()
    features = case.features(head)
    with torch.autocast("cpu", torch.bfloat16):
        loss = case.loss(head, features)
    require(bool(loss.isfinite()), f"the loss is {loss.item()}")
    loss.backward()
    named = [(n, p.grad) for n, p in head.named_parameters() if p.grad is not None]
    bad = [name for name, gradient in named if not bool(gradient.isfinite().all())]
    require(not bad, f"gradients of {listed(bad)} are not finite")


@torch.no_grad()
def check_evaluation_draws_no_random_number(case: TaskCase) -> None:
    """In evaluation two passes agree bit for bit, draw no random number and move no buffer."""
    head = case.moved()
    features, before, drawn = case.features(head), bits(head), torch.get_rng_state()
    require(equal(head(features), head(features)), "two passes differ")
    require(torch.equal(torch.get_rng_state(), drawn), "a random number was drawn")
    require(not (names := changed(before, bits(head))), f"{names} changed")


@torch.no_grad()
def check_inputs_of_a_batch_do_not_touch(case: TaskCase) -> None:
    """In evaluation an input alone gives the output and the answer that it gives beside others."""
    head, inputs = case.moved(), case.data[1]
    together = head(case.features(head))
    for index in range(BATCH):
        alone = head(case.features(head, inputs[index : index + 1]))
        worst = _apart(row(alone, 0), row(together, index))
        require(worst <= CLOSE, f"the output of input {index} moves by {worst:.2g}")
        require(len(head.predict(alone)) == 1, "one input does not get one answer")


@torch.no_grad()
def check_views_become_one_output(case: TaskCase) -> None:
    """`views`, if there are any, begin with the inputs as they are, and `joined` makes one output
    of theirs, which has the shapes of a single view's."""
    head, inputs = case.moved(), case.data[1]
    if not hasattr(head, "views"):
        return
    views = list(head.views(inputs))
    require(views and torch.equal(views[0], inputs), "`views` do not begin with the inputs")
    outputs = [head(case.features(head, view)) for view in views]
    joined, alone = (
        [tuple(t.shape) for t in tensors_of(x)] for x in (head.joined(outputs), outputs[0])
    )
    require(joined == alone, f"`joined` has the shapes {joined}, and a single view {alone}")


def puts_nothing_together(case: TaskCase) -> str:
    return "" if put_together(case.head()) else "the head has no `put_together`"


@torch.no_grad()
def check_a_single_piece_is_all_of_it(case: TaskCase) -> None:
    """`put_together`, if there is one, makes of the output for one piece that is all of an input
    that output, as a batch of one."""
    head, inputs = case.moved(), case.data[1]
    output = head(case.features(head))
    whole = Position((inputs.shape[-2], inputs.shape[-1]))
    for index in range(BATCH):
        found = head.put_together([row(output, index)], [whole])
        alike = [tuple(t.shape) for t in tensors_of(row(found, 0))]
        own = [tuple(t.shape) for t in tensors_of(row(output, index))]
        require(alike == own, f"of one piece with tensors of {own} it makes {alike}")
        worst = _apart(row(found, 0), row(output, index))
        require(worst <= CLOSE, f"one piece that is all of an input is moved by {worst:.2g}")


def equal(one: Any, other: Any) -> bool:
    """Whether two trees hold the same tensors, bit for bit."""
    pairs = zip(tensors_of(one), tensors_of(other), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def _apart(got: Any, expected: Any) -> float:
    pairs = zip(tensors_of(got), tensors_of(expected), strict=True)
    return max(apart(a, b) for a, b in pairs)


def as_wished(head: Any, output: Any, targets: Any, direction: float, size: float = 0.5) -> Any:
    """The output that the loss likes best (1) or least (-1), found by following its gradient in
    steps of one size."""
    wished = changed_in(output, lambda leaf: leaf.detach().clone())
    free = [t.requires_grad_(True) for t in tensors_of(wished) if t.is_floating_point()]
    for _ in range(WISHES):
        _step_down(direction * head.loss(wished, targets), free, size)
    return changed_in(wished, Tensor.detach)


def changed_in(tree: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The tree with each tensor changed, also those in lists."""
    return mapped(
        lambda leaf: (
            change(leaf) if isinstance(leaf, Tensor) else [changed_in(x, change) for x in leaf]
        ),
        tree,
    )


def _step_down(loss: Tensor, tensors: list[Tensor], size: float) -> None:
    """Move every value by `size` against its gradient's sign."""
    found = torch.autograd.grad(loss, tensors, allow_unused=True)
    for tensor, gradient in zip(tensors, found, strict=True):
        if gradient is not None:
            tensor.data.sub_(size * gradient.sign())
