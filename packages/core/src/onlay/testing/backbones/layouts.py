"""Where tokens lie."""

from __future__ import annotations

import torch
from torch import Tensor

from onlay.anatomy import Anatomy
from onlay.errors import OnlayError
from onlay.features import Layout, centres_of, map_of
from onlay.testing.backbones.case import BackboneCase
from onlay.testing.backbones.watching import Trace, encoded, trace, undone
from onlay.testing.checking import require

OFFERED = {"grid": "map", "points": "neighbours", "line": "order"}
"""What a backbone provides -> the trait of its layouts."""


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
    """At the entry of each block the layout has a place for every token, `prefix` and `count`, and
    the trait of what is provided: a `map` for `grid`, for `points` the `neighbours`' centres
    (B, count, axes), for `line` an `order`."""
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
        before, found = map_of(narrow[index]), map_of(layout)
        assert before is not None
        expected = (before[0], 2 * before[1])
        require(found == expected, f"block {index}: the map of inputs twice as wide is {found}")


def _fits(anatomy: Anatomy, seen: Trace, batch: int) -> None:
    wanted = {trait for said, trait in OFFERED.items() if said in anatomy.provides}
    for block in anatomy.blocks:
        where, layout = f"block {block.index}", seen.layouts[block.index]
        tokens, grid, centres = seen.tensors[f"> {block.index}"], map_of(layout), centres_of(layout)
        require(wanted <= layout.traits, f"{where}: the layout is {layout}")
        if tokens.ndim == 4 and grid is not None:
            own, said = (*tokens.shape[1:3], 0), (*grid, layout.prefix)
            require(said == own, f"{where}: a map {own[:2]} is said to be {said}")
        else:
            places, found = layout.prefix + layout.count, tokens.shape[1]
            require(places == found, f"{where}: {places} places for {found} tokens")
        if grid is not None:
            require(grid[0] * grid[1] == layout.count, f"{where}: {layout.count} on a map {grid}")
        if centres is not None:
            _check_centres(centres, batch, layout.count)


def _check_centres(centres: Tensor, batch: int, count: int) -> None:
    shape = tuple(centres.shape)
    require(shape[:-1] == (batch, count), f"centres have the shape {shape}")
    require(bool(centres.isfinite().all()), "centres are not finite")


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
    told, known = centres_of(one), centres_of(other)
    if told is None or known is None:
        return one == other
    return one.prefix == other.prefix and torch.equal(told, known)
