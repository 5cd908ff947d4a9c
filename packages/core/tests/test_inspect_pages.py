"""The frame of a page: what a viewer's script finds in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from inlay.features import Features, Grid, Layout, Points
from inlay.inspecting import Observation, Signal
from inlay.pages import COLOURS, signals, write
from inlay.task import Prediction

PROMPT = [9.0, 9.0]


def of_block(
    block: int, values: list[list[float]], layout: Layout, categories: int | None = 4
) -> Signal:
    """Behind a class token and as many prompts as blocks came before."""
    tokens = torch.tensor([[0.0, 0.0], *[PROMPT] * block, *values])
    name = "scale" if categories is None else "expert"
    return Signal(name, block, tokens, categories, layout)


@pytest.fixture
def page(tmp_path: Path) -> str:
    grid = Grid(1, 2, prefix=3)
    found = (
        of_block(0, [[0.25, 0.75], [-1, 0.0]], grid, None),
        of_block(0, [[3, 1], [2, 2]], grid),
        of_block(1, [[0.25, 1.25], [0, 3.0]], grid, None),
        of_block(1, [[0, 0], [0, 3]], grid),
    )
    prediction = Prediction("<i>", 0.875, {"<i>": 0.875, "b": 0.125})
    features = Features(None, torch.zeros(1, 0, 4), torch.zeros(1, 2, 4), grid)
    seen = Observation(Path("a<b>&.png"), torch.zeros(1), features, prediction, found, {})
    data = {"end": "</script><b>&"}
    write(seen, tmp_path / "page.html", data=data, scripts=["start(draw);"])
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def data(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_categories_come_first_block_by_block_without_other_tokens(page: str) -> None:
    experts = data(page)["signals"][0]
    assert (experts["name"], experts["categories"]) == ("expert", 4)
    first, second = experts["blocks"]
    assert (first["title"], first["grid"]) == ("block 0", [1, 2])
    assert (first["values"], first["summary"], first["agreement"]) == (
        [[3, 1], [2, 2]], [1, 2], [0.5, 1.0],
    )  # fmt: skip
    assert second["values"] == [[0, 0], [0, 3]]
    assert second["usage"] == [0.75, 0, 0, 0.25]


def test_numbers_have_one_range_and_their_mean_at_the_end(page: str) -> None:
    scale = data(page)["signals"][1]
    assert scale["range"] == [-1.0, 3.0]
    titles = [block["title"] for block in scale["blocks"]]
    assert titles == ["block 0", "block 1", "mean of the blocks"]
    assert scale["blocks"][0]["summary"] == [0.5, -0.5]
    assert scale["blocks"][2]["values"] == [[0.25, 1.0], [-0.5, 1.5]]


def test_stages_with_maps_of_their_own_have_no_mean() -> None:
    wide = of_block(0, [[1.0, 1.0]] * 4, Grid(2, 2), None)
    narrow = of_block(1, [[1.0, 1.0]], Grid(1, 1), None)
    (record,) = signals([wide, narrow])
    assert [block["grid"] for block in record["blocks"]] == [[2, 2], [1, 1]]


def test_groups_have_no_grid() -> None:
    (record,) = signals([of_block(0, [[1, 1]], Points(torch.zeros(1, 1, 3), prefix=1))])
    assert "grid" not in record["blocks"][0]


def test_names_and_data_are_no_markup(page: str) -> None:
    assert "<h1>a&lt;b&gt;&amp;.png <span>&lt;i&gt;, 88 %</span></h1>" in page
    assert "a<b>" not in page
    assert "<i>" not in page
    assert data(page)["end"] == "</script><b>&"
    assert page.count("</script>") == 2


def test_nothing_is_fetched_and_the_viewers_script_comes_last(page: str) -> None:
    assert not re.search(r"(src|href)=|url\(|@import|https?://", page)
    assert page.index("function start(") < page.index("start(draw);")


def test_colours_differ() -> None:
    assert len(set(COLOURS)) == 32
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in COLOURS)
