"""Folding adapters into the frozen weights beside them, for every method alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onlay.anatomy.adapter import Adapter
from onlay.anatomy.affine import Affine, affine_of, after, along, before_all
from onlay.anatomy.parts import Site
from onlay.anatomy.pipe import SitePipe
from onlay.anatomy.replacing import FrozenMap
from onlay.anatomy.targets import ModuleTarget
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
    for pipe in pipes:
        if not _staying(pipe, adapter):
            _fold_into_writer(pipe)
        _fold_branches(pipe, adapter, refusals)
    for pipe in pipes:
        _fold_into_readers(pipe, adapter, refusals)
    for pipe in pipes:
        if pipe.insertions:
            refusals[pipe.site.path] = Refusal(pipe.site.path, pipe.insertions[0].reason)
    for swap in adapter.swaps:
        swap.original.data.copy_(swap.copy.data)
    adapter.swaps.clear()
    adapter.thawed = type(adapter.thawed)()
    return list(refusals.values())


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


def _staying(pipe: SitePipe, adapter: Adapter) -> list[SitePipe]:
    """Parts of the site at which something is left, which acts before what is placed on the
    whole."""
    paths = [place.path for place in pipe.site.places() if place.path != pipe.site.path]
    parts = [adapter.pipes[path] for path in paths if path in adapter.pipes]
    return [part for part in parts if part.rewrites or part.incoming]


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
            after(writer, affine)
        except CannotFold:
            return  # perhaps its readers can take it; they say why if not
        pipe.rewrites.pop(0)


def _negative(affine: Affine) -> bool:
    return affine.weight is not None and bool((affine.weight < 0).any())


def _fold_into_readers(pipe: SitePipe, adapter: Adapter, refusals: dict[str, Refusal]) -> None:
    if not len(pipe.rewrites):
        return
    try:
        affines = [affine_of(module) for module in pipe.rewrites]
        _check_readers(pipe, _staying(pipe, adapter))
        before_all(pipe.site.readers, affines)
    except CannotFold as refusal:
        refusals[pipe.site.path] = Refusal(pipe.site.path, str(refusal))
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
            refusals[pipe.site.path] = Refusal(pipe.site.path, str(refusal))
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
