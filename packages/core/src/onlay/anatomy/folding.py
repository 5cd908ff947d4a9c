"""Folding adapters into the frozen weights beside them, for every method alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from onlay.anatomy.adapter import Adapter
from onlay.anatomy.affine import Affine, affine_of, after, along, before_all
from onlay.anatomy.parts import Site
from onlay.anatomy.pipe import SitePipe
from onlay.anatomy.replacing import FrozenMap
from onlay.anatomy.targets import ComputedLayer, ModuleTarget
from onlay.anatomy.wires import Branch
from onlay.errors import CannotFold


@dataclass(frozen=True)
class Refusal:
    """A piece that stays, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"`{self.path}`: {self.reason}"


def fold(adapter: Adapter) -> list[Refusal]:
    """Fold what can be folded, in place; the pieces that stay are named with their reasons.

    Call it on a copy whose adapter is disengaged. Order: at each place, parts before their whole,
    rewrites into the map that writes it, then branches; at last rewrites into the maps that read,
    so that each step sees the tensors which it was derived for.
    """
    places = adapter.anatomy.all_places()
    pipes = [adapter.pipes[place.path] for place in places if place.path in adapter.pipes]
    refusals = _fold_replacements(adapter)
    if refusals:  # what else is there acts around maps that stay
        rest = "a module that stays stands in for a map of this adapter"
        refusals |= {p.site.path: Refusal(p.site.path, rest) for p in pipes}
        return list(refusals.values())
    computed: dict[str, CannotFold] = {}
    for pipe in pipes:
        refusal = None if _staying(pipe, adapter) else _fold_into_writer(pipe)
        if isinstance(refusal, ComputedLayer):  # readers say why they cannot take the others
            computed[pipe.site.path] = refusal
        _fold_branches(pipe, adapter, refusals)
    for pipe in pipes:
        _fold_into_readers(pipe, adapter, refusals, computed)
    for pipe in pipes:
        if pipe.insertions:
            refusals[pipe.site.path] = Refusal(pipe.site.path, pipe.insertions[0].reason)
    for swap in adapter.swaps:
        swap.original.data.copy_(swap.copy.data)
    adapter.swaps.clear()
    adapter.thawed = type(adapter.thawed)()
    return list(refusals.values())


def pieces(adapter: Adapter) -> int:
    """How many there are that `fold` takes up or refuses: less after it, if it took one up."""
    placed = sum(len(pipe.rewrites) + len(pipe.incoming) for pipe in adapter.pipes.values())
    return placed + len(adapter.replacements) + len(adapter.swaps)


def _fold_replacements(adapter: Adapter) -> dict[str, Refusal]:
    refusals: dict[str, Refusal] = {}
    for replacement in list(adapter.replacements):
        path = replacement.map.path
        try:
            _in_place(replacement.map, replacement.module)
        except CannotFold as refusal:
            refusals[path] = _refusal(path, refusal, adapter)
        else:
            adapter.end_replacement(replacement)
    return refusals


def _staying(pipe: SitePipe, adapter: Adapter) -> list[SitePipe]:
    """Parts of the site at which something is left, which acts before what is placed on the
    whole."""
    paths = [place.path for place in pipe.site.places() if place.path != pipe.site.path]
    parts = [adapter.pipes[path] for path in paths if path in adapter.pipes]
    return [part for part in parts if part.rewrites or part.incoming]


def _in_place(map: FrozenMap, module: nn.Module) -> None:
    _, elsewhere = map.target.read()
    affine, (weight, own) = affine_of(module), ModuleTarget(map.module).tensors()
    own = torch.zeros_like(elsewhere) if own is None else own
    elsewhere = elsewhere - own  # a bias that the network adds by itself
    if affine.weight is not None:
        weight = affine.weight
    map.target.write(weight, elsewhere + (own if affine.shift is None else affine.shift))


def _fold_into_writer(pipe: SitePipe) -> CannotFold | None:
    """From the first on, as many rewrites as it can take; what it says of one that it cannot."""
    writer = pipe.site.writer
    while writer is not None and len(pipe.rewrites):
        try:
            affine = affine_of(pipe.rewrites[0])
            if affine.full and writer.diagonal:
                return None
            if writer.pooled and (affine.full or _negative(affine)):
                return None
            after(writer, affine)
        except CannotFold as refusal:
            return refusal  # perhaps its readers can take it
        pipe.rewrites.pop(0)
    return None


def _negative(affine: Affine) -> bool:
    return affine.weight is not None and bool((affine.weight < 0).any())


def _refusal(path: str, why: CannotFold, adapter: Adapter) -> Refusal:
    """With the name of the layer, where one is the reason."""
    if not isinstance(why, ComputedLayer):
        return Refusal(path, str(why))
    named = adapter.anatomy.model.named_modules()
    name = next((name for name, module in named if module is why.layer), "")
    return Refusal(path, why.told(f"the layer `{name}`"))


def _fold_into_readers(
    pipe: SitePipe,
    adapter: Adapter,
    refusals: dict[str, Refusal],
    computed: Mapping[str, CannotFold],
) -> None:
    if not len(pipe.rewrites):
        return
    try:
        affines = [affine_of(module) for module in pipe.rewrites]
        _check_readers(pipe, _staying(pipe, adapter))
        before_all(pipe.site.readers, affines)
    except CannotFold as refusal:
        path = pipe.site.path
        refusals[path] = _refusal(path, computed.get(path, refusal), adapter)
        return
    del pipe.rewrites[:]


def _check_readers(pipe: SitePipe, staying: Sequence[SitePipe]) -> None:
    site = pipe.site
    if staying:
        raise CannotFold(f"what stays at `{staying[0].site.path}` comes before it")
    if site.unfoldable:
        raise CannotFold(site.unfoldable)
    if not site.readers:
        raise CannotFold("no linear map alone writes or reads this tensor")
    if pipe.incoming or pipe.taps:
        raise CannotFold("a branch that stays reads or writes the same tensor")


def _fold_branches(pipe: SitePipe, adapter: Adapter, refusals: dict[str, Refusal]) -> None:
    for branch in list(pipe.incoming):
        try:
            _fold_branch(branch, pipe, adapter)
        except CannotFold as refusal:
            refusals[pipe.site.path] = _refusal(pipe.site.path, refusal, adapter)
            continue
        place = pipe.incoming.index(branch)
        del pipe.incoming[place], pipe.branches[place]
        (tap,) = branch.taps
        adapter.pipes[tap.source.path].taps.remove(tap)


def _fold_branch(branch: Branch, pipe: SitePipe, adapter: Adapter) -> None:
    writer, affine = branch.target.writer, affine_of(branch.module)
    if branch.listeners:
        raise CannotFold("what the branch adds is also read by another module")
    if branch.source is None:
        raise CannotFold("it reads several tensors, or what another module has made")
    if branch.sequential:
        raise CannotFold("it is added to what it reads; a rewrite would fold")
    if writer is None or not _leads(branch.source, branch.target):
        raise CannotFold(f"no single linear map leads there from `{branch.source.path}`")
    if branch.source.unfoldable:
        raise CannotFold(branch.source.unfoldable)
    if any(len(p.rewrites) for p in (pipe, *_staying(pipe, adapter))):
        raise CannotFold("a rewrite that stays comes between the map and the branch")
    along(writer, affine)


def _leads(source: Site, target: Site) -> bool:
    """Whether a map that reads `source` writes `target`, or the whole of which that is a part."""
    writer = (target.whole or target).writer
    return any(reader == writer for reader in source.readers)
