"""Where tokens lie: kinds of layout, and a plugin's own."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from onlay.batches import rows, size_of
from onlay.features import Features, Grid, Layout, Line, Points, centres_of, map_of
from onlay.inspecting import Signal
from onlay.pages.records import signals


@dataclass(frozen=True)
class Rings:
    """A plugin's own: tokens on rings, which unroll to a map."""

    rings: int
    prefix: int = 0
    width: int = 4

    @property
    def height(self) -> int:
        return self.rings

    @property
    def count(self) -> int:
        return 4 * self.rings

    @property
    def traits(self) -> frozenset[str]:
        return frozenset({"map", "rings"})


def test_what_a_kind_offers_is_asked_by_trait():
    centres = torch.zeros(2, 5, 3)
    kinds: list[Layout] = [Grid(2, 3, prefix=1), Points(centres, prefix=2), Line(6), Rings(2)]
    assert [kind.count for kind in kinds] == [6, 5, 6, 8]
    assert [map_of(kind) for kind in kinds] == [(2, 3), None, None, (2, 4)]
    assert [centres_of(kind) is centres for kind in kinds] == [False, True, False, False]


def test_some_inputs_of_features():
    clouds, centres = torch.randn(3, 9, 3), torch.randn(3, 2, 3)
    patches, empty = torch.randn(3, 2, 4), torch.empty(3, 0, 4)
    where = Points(centres, prefix=1)
    whole = Features(None, empty, patches, where, levels=[patches.mT], inputs=clouds)
    assert size_of(whole) == 3
    some = rows(whole, slice(1, 3))
    assert len(some) == 2
    assert some.cls is None
    assert torch.equal(some.patches, patches[1:])
    assert torch.equal(some.levels[0], patches.mT[1:])
    assert torch.equal(centres_of(some.layout), centres[1:])
    assert torch.equal(some.inputs, clouds[1:])


def test_signals_of_a_line_have_no_map_and_leave_out_its_prefix():
    shown = Signal("gate", 0, torch.tensor([[9.0], [1.0], [2.0]]), None, Line(2, prefix=1))
    (record,) = signals([shown])
    assert record["blocks"][0]["values"] == [[1.0], [2.0]]
    assert "grid" not in record["blocks"][0]


def test_signals_on_a_plugins_own_map_are_drawn_as_a_map():
    (record,) = signals([Signal("gate", 0, torch.ones(9, 1), None, Rings(2, prefix=1))])
    assert record["blocks"][0]["grid"] == [2, 4]
