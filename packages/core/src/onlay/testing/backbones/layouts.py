"""Where tokens lie."""

from __future__ import annotations

import torch
from torch import Tensor

from onlay.anatomy import Anatomy
from onlay.errors import OnlayError
from onlay.features import Grid, Layout, Points
from onlay.testing.backbones.case import BackboneCase
from onlay.testing.backbones.watching import Trace, encoded, trace, undone
from onlay.testing.checking import require


def wide(case: BackboneCase) -> Tensor | None:
    """Inputs that are twice as wide as high, where the backbone takes them."""
    inputs = torch.cat([case.inputs(1)] * 2, dim=-1)
    try:
        encoded(case.anatomy, inputs)
    except (OnlayError, AssertionError, RuntimeError, ValueError):
        return None
    finally:
        encoded(case.anatomy, case.inputs(1))
    return inputs


def not_wide(case: BackboneCase) -> str:
    if "grid" not in case.said:
        return "there is no map"
    return "" if wide(case) is not None else "it takes inputs of one size"


def check_layout_is_where_tokens_lie(case: BackboneCase) -> None:
    """At the entry of each block the layout has a place for every token: a prefix and height times
    width patches, or a prefix and the centres (B, G, 3) of G groups."""
    inputs = case.inputs()
    _fits(case.anatomy, trace(case.anatomy, inputs), len(inputs))


def check_layout_of_wide_inputs(case: BackboneCase) -> None:
    """For inputs that are not square the layout's height and width are those of their map."""
    inputs = wide(case)
    assert inputs is not None
    narrow = trace(case.anatomy, case.inputs(1)).layouts
    seen = trace(case.anatomy, inputs)
    _fits(case.anatomy, seen, 1)
    for index, layout in seen.layouts.items():
        before = narrow[index]
        assert isinstance(layout, Grid)
        assert isinstance(before, Grid)
        expected = (before.height, 2 * before.width)
        found = (layout.height, layout.width)
        require(found == expected, f"block {index}: the map of inputs twice as wide is {found}")


def _fits(anatomy: Anatomy, seen: Trace, batch: int) -> None:
    kinds = {"grid": Grid, "points": Points}
    kind = next((kinds[trait] for trait in kinds if trait in anatomy.provides), None)
    for block in anatomy.blocks:
        layout, tokens = seen.layouts[block.index], seen.tensors[f"> {block.index}"]
        if kind is not None:
            require(isinstance(layout, kind), f"block {block.index}: the layout is {layout}")
        if tokens.ndim == 4 and isinstance(layout, Grid):
            own = (*tokens.shape[1:3], 0)
            said = (layout.height, layout.width, layout.prefix)
            require(said == own, f"block {block.index}: a map {own[:2]} is said to be {said}")
        else:
            places = layout.prefix + patches_in(layout)
            found = tokens.shape[1]
            require(places == found, f"block {block.index}: {places} places for {found} tokens")
        if isinstance(layout, Points):
            _check_centres(layout.centres, batch)


def _check_centres(centres: Tensor, batch: int) -> None:
    shape = tuple(centres.shape)
    require(len(shape) == 3 and shape[::2] == (batch, 3), f"centres have the shape {shape}")
    require(bool(centres.isfinite().all()), "centres are not finite")


def patches_in(layout: Layout) -> int:
    """How many patches or groups there are."""
    if isinstance(layout, Grid):
        return layout.height * layout.width
    return layout.centres.shape[1]


def check_layout_follows_the_module(case: BackboneCase) -> None:
    """Where the network is called by itself, the hooks of `follow` keep the layout right."""
    anatomy, other = case.anatomy, case.inputs(3)[1:].flip(-1)
    if "grid" in anatomy.provides and (larger := wide(case)) is not None:
        other = larger
    encoded(anatomy, other)
    expected = anatomy.layout(0)
    encoded(anatomy, case.inputs())
    undos = anatomy.follow()
    try:
        with torch.no_grad():
            anatomy.model(other)
        found = anatomy.layout(0)
    finally:
        undone(undos)
    require(_same(found, expected), f"the layout is {found} and should be {expected}")


def _same(one: Layout, other: Layout) -> bool:
    if isinstance(one, Points) and isinstance(other, Points):
        return one.prefix == other.prefix and torch.equal(one.centres, other.centres)
    return one == other
