"""Folding adapters into the frozen weights beside them, for every method alike.

y = x W^T + c is a frozen map, x' = x M^T + b a rewrite, x L^T + l a branch:

- a rewrite of what a map writes:   W <- M W,      c <- M c + b
- a rewrite of what maps read:      W <- W M,      c <- c + W b
- a branch along a map:             W <- W + L,    c <- c + l
- a module in a map's place:        W <- M,        c <- b
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from onlay.anatomy.adapter import Adapter
from onlay.anatomy.pipe import SitePipe
from onlay.anatomy.replacing import FrozenMap
from onlay.anatomy.targets import FoldTarget, ModuleTarget, wide
from onlay.anatomy.wires import Branch
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


@dataclass(frozen=True)
class Refusal:
    """A piece that stays, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"`{self.path}`: {self.reason}"


def fold(adapter: Adapter) -> list[Refusal]:
    """Fold what can be folded, in place; the pieces that stay are named with their reasons.

    Call it on a copy whose adapter is disengaged. Order: rewrites into the map that writes the
    site, then branches, then rewrites into the maps that read it, so that each step sees the
    tensors which it was derived for.
    """
    pipes = [adapter.pipes[s.path] for s in adapter.anatomy.all_sites() if s.path in adapter.pipes]
    refusals = _fold_replacements(adapter)
    if refusals:  # what else is there acts around maps that stay
        rest = "a module that stays stands in for a map of this adapter"
        refusals |= {p.site.path: Refusal(p.site.path, rest) for p in pipes}
        return list(refusals.values())
    for pipe in pipes:
        _fold_into_writer(pipe)
    for pipe in pipes:
        _fold_branches(pipe, adapter, refusals)
    for pipe in pipes:
        _fold_into_readers(pipe, refusals)
    for pipe in pipes:
        if pipe.insertions:
            refusals[pipe.site.path] = Refusal(pipe.site.path, pipe.insertions[0].reason)
    for swap in adapter.swaps:
        swap.original.data.copy_(swap.copy.data)
    adapter.swaps.clear()
    adapter.thawed = type(adapter.thawed)()
    return list(refusals.values())


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


def _fold_replacements(adapter: Adapter) -> dict[str, Refusal]:
    refusals: dict[str, Refusal] = {}
    for replacement in list(adapter.replacements):
        path = replacement.map.path
        try:
            _in_place(replacement.map, affine_of(replacement.module))
        except CannotFold as refusal:
            refusals[path] = Refusal(path, str(refusal))
        else:
            adapter.end_replacement(replacement)
    return refusals


def _in_place(map: FrozenMap, affine: Affine) -> None:
    weight, own = ModuleTarget(map.module).read()
    elsewhere = map.target.read()[1] - own  # a bias that the network adds by itself
    if affine.weight is not None:
        weight = affine.weight
    map.target.write(weight, elsewhere + (own if affine.shift is None else affine.shift))


def _fold_into_writer(pipe: SitePipe) -> None:
    writer = pipe.site.writer
    while writer is not None and len(pipe.rewrites):
        try:
            affine = affine_of(pipe.rewrites[0])
            if affine.full and writer.diagonal:
                return
            if writer.pooled and (affine.full or _negative(affine)):
                return
            _after(writer, affine)
        except CannotFold:
            return  # perhaps its readers can take it; they say why if not
        pipe.rewrites.pop(0)


def _negative(affine: Affine) -> bool:
    return affine.weight is not None and bool((affine.weight < 0).any())


def _fold_into_readers(pipe: SitePipe, refusals: dict[str, Refusal]) -> None:
    if not len(pipe.rewrites):
        return
    try:
        affines = [affine_of(module) for module in pipe.rewrites]
        _check_readers(pipe)
        _before_all(pipe.site.readers, affines)
    except CannotFold as refusal:
        refusals[pipe.site.path] = Refusal(pipe.site.path, str(refusal))
        return
    del pipe.rewrites[:]


def _check_readers(pipe: SitePipe) -> None:
    site = pipe.site
    if site.unfoldable:
        raise CannotFold(site.unfoldable)
    if not site.readers:
        raise CannotFold("no linear map alone writes or reads this tensor")
    if pipe.incoming or pipe.taps:
        raise CannotFold("a branch that stays reads or writes the same tensor")


def _fold_branches(pipe: SitePipe, adapter: Adapter, refusals: dict[str, Refusal]) -> None:
    for branch in list(pipe.incoming):
        try:
            _fold_branch(branch, pipe)
        except CannotFold as refusal:
            refusals[pipe.site.path] = Refusal(pipe.site.path, str(refusal))
            continue
        place = pipe.incoming.index(branch)
        del pipe.incoming[place], pipe.branches[place]
        (tap,) = branch.taps
        adapter.pipes[tap.source.path].taps.remove(tap)


def _fold_branch(branch: Branch, pipe: SitePipe) -> None:
    writer, affine = branch.target.writer, affine_of(branch.module)
    if branch.listeners:
        raise CannotFold("what the branch adds is also read by another module")
    if branch.source is None:
        raise CannotFold("it reads several tensors, or what another module has made")
    if branch.sequential:
        raise CannotFold("it is added to what it reads; a rewrite would fold")
    if writer is None or not _contains(branch.source.readers, writer):
        raise CannotFold(f"no single linear map leads there from `{branch.source.path}`")
    if branch.source.unfoldable:
        raise CannotFold(branch.source.unfoldable)
    if len(pipe.rewrites):
        raise CannotFold("a rewrite that stays comes between the map and the branch")
    _along(writer, affine)


def _contains(targets: Iterable[FoldTarget], target: FoldTarget) -> bool:
    return any(t == target for t in targets)


def _after(target: FoldTarget, affine: Affine) -> None:
    weight, shift = target.read()
    own = affine.weight
    if own is not None and affine.full:
        weight, shift = own @ weight, own @ shift
    elif own is not None:
        weight = weight * (own if target.diagonal else own[:, None])
        shift = shift * own
    target.write(weight, shift if affine.shift is None else shift + affine.shift)


def _before_all(targets: Sequence[FoldTarget], affines: Sequence[Affine]) -> None:
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


def _along(target: FoldTarget, affine: Affine) -> None:
    weight, shift = target.read()
    if affine.weight is None or not affine.full:
        raise CannotFold("a branch folds only as a matrix")
    target.write(weight + affine.weight, shift if affine.shift is None else shift + affine.shift)
