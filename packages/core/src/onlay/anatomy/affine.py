"""What an adapter piece computes, and how a frozen map takes it up.

y = x W^T + c is a frozen map, x' = x M^T + b a rewrite, x L^T + l a branch:

- a rewrite of what a map writes:   W <- M W,      c <- M c + b
- a rewrite of what maps read:      W <- W M,      c <- c + W b
- a branch along a map:             W <- W + L,    c <- c + l
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from onlay.anatomy.targets import FoldTarget, wide
from onlay.errors import CannotFold


class Affine(NamedTuple):
    """What an adapter piece computes: `x * weight + shift` or `x @ weight.T + shift`."""

    weight: Tensor | None
    """(D,) a scale, (out, in) a matrix, or `None` for the identity."""
    shift: Tensor | None = None
    """(D,) or (out,), or `None` for none."""

    @property
    def full(self) -> bool:
        """Whether the weight is a matrix."""
        return self.weight is not None and self.weight.ndim == 2


def affine_of(module: nn.Module) -> Affine:
    """The module's affine form in at least float32, or `CannotFold` with its reason."""
    affine = getattr(module, "affine", None)
    if affine is None:
        name = type(module).__name__
        raise CannotFold(getattr(module, "unfoldable", f"`{name}` is not affine"))
    if any(p.dtype.itemsize < 4 for p in module.parameters()):
        affine = copy.deepcopy(module).float().affine  # its own products, too, in float32
    weight, shift = affine()
    return Affine(None if weight is None else wide(weight), None if shift is None else wide(shift))


def after(target: FoldTarget, affine: Affine) -> None:
    """Take up a rewrite of what a map writes."""
    weight, shift = target.read()
    own = affine.weight
    if own is not None and affine.full:
        weight, shift = own @ weight, own @ shift
    elif own is not None:
        weight = weight * (own if target.diagonal else own[:, None])
        shift = shift * own
    target.write(weight, shift if affine.shift is None else shift + affine.shift)


def before_all(targets: Sequence[FoldTarget], affines: Sequence[Affine]) -> None:
    """Take up rewrites, in the order in which they act, of what all these maps read."""
    former = [(target, target.read()) for target in targets]
    try:
        for affine in reversed(affines):
            for target in targets:
                _before(target, affine)
    except CannotFold:  # all or nothing: one of them cannot store what it should
        for target, (weight, shift) in former:
            target.write(weight, shift)
        raise


def _before(target: FoldTarget, affine: Affine) -> None:
    weight, shift = target.read()
    if affine.shift is not None:
        shift = shift + weight @ affine.shift
    if affine.weight is not None:
        weight = weight @ affine.weight if affine.full else weight * affine.weight
    target.write(weight, shift)


def along(target: FoldTarget, affine: Affine) -> None:
    """Take up a branch that leads past a map."""
    weight, shift = target.read()
    if affine.weight is None or not affine.full:
        raise CannotFold("a branch folds only as a matrix")
    target.write(weight + affine.weight, shift if affine.shift is None else shift + affine.shift)
