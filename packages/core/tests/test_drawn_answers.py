"""What a page shows of an answer: bars, numbers and labels on maps."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest
import torch

from onlay.errors import PluginError
from onlay.model.answers import Answers
from onlay.pages.drawn import drawn
from onlay.reports import Measure
from onlay.task import Bars, Prediction, Raster


def cells(record: dict[str, Any]) -> list[int]:
    return list(b64decode(record["cells"]))


def test_shares_are_as_long_as_they_are_and_other_numbers_beside_the_largest() -> None:
    shares, lengths = drawn(
        [
            Bars({"cat": 0.75, "dog": 0.05}),
            Bars({"a": 8.0, "b": 2.0, "c": -4.0}, Measure("cm"), "t"),
        ]
    )
    assert shares["rows"] == [["cat", "75.0 %", 0.75], ["dog", "5.0 %", 0.05]]
    assert lengths["title"] == "t"
    assert lengths["rows"] == [["a", "8.000 cm", 1], ["b", "2.000 cm", 0.25], ["c", "-4.000 cm", 0]]


def test_numbers_go_from_the_least_to_the_largest_and_what_is_none_is_empty() -> None:
    (found,) = drawn(
        [Raster("depth", torch.tensor([[2.0, 4.0, 3.0], [torch.nan, 2, 4]]), unit="m")]
    )
    assert (found["kind"], found["size"], found["range"]) == (
        "numbers", [2, 3], ["2 m", "4 m"],
    )  # fmt: skip
    assert cells(found) == [0, 254, 127, 255, 0, 254]
    (flat,) = drawn([Raster("depth", torch.full((1, 2), 3.0))])
    assert cells(flat) == [0, 0]


def test_labels_have_a_legend_with_the_most_frequent_first() -> None:
    labels = [f"label {n}" for n in range(400)]
    (found,) = drawn([Raster("mask", torch.tensor([[7, 399], [399, 0], [399, 7]]), labels)])
    assert found["legend"] == [
        ["label 399", "50.0 %", 399], ["label 7", "33.3 %", 7], ["label 0", "16.7 %", 0],
    ]  # fmt: skip
    assert cells(found) == [1, 0, 0, 2, 0, 1]
    (many,) = drawn([Raster("mask", torch.arange(400).view(20, 20), labels)])
    assert len(many["legend"]) == 255
    assert cells(many)[254:] == [254, *[255] * 145]


def test_a_large_map_is_thinned_out() -> None:
    values = torch.arange(1030.0).expand(4, 1030)
    (found,) = drawn([Raster("depth", values)])
    assert found["size"] == [2, 344]
    assert found["range"][1] == "1029"


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        ([torch.zeros(1)], "has a `Tensor`, no `Bars`, `Raster`"),
        ([Raster("mask", torch.zeros(2, 2, 3))], r"under `mask` the shape \(2, 2, 3\), no map"),
        ([Raster("mask", torch.tensor([[0, 2]]), ["a", "b"])], "indices 0 to 2 of 2 labels"),
        ([Raster("mask", torch.tensor([[-1, 1]]), ["a", "b"])], "indices -1 to 1 of 2 labels"),
    ],
)
def test_what_cannot_be_drawn_names_its_plugin(pieces: list[Any], told: str) -> None:
    class Odd(Prediction):
        def drawn(self) -> Any:
            return pieces

    with pytest.raises(PluginError, match=f"^task `odd` gives answers whose `drawn` .*{told}"):
        Answers("task `odd`").drawn(Odd("a", 1.0, {"a": 1.0}))


def test_numbers_beyond_their_limits_have_the_colours_of_the_ends() -> None:
    raster = Raster("depth", torch.tensor([[0.0, 1.0, 2.0, 5.0]]), unit="m", limits=(1.0, 3.0))
    (record,) = drawn([raster])
    assert record["range"] == ["1 m", "3 m"]
    assert list(b64decode(record["cells"])) == [0, 0, 127, 254]
