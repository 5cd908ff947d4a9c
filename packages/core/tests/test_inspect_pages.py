"""The frame of a page: what a viewer's script finds in it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from onlay.features import Features, Grid, Layout, Points
from onlay.inspecting import Observation, Picture, Signal
from onlay.pages import COLOURS, differences, signals, write
from onlay.pages.changes import CHANGE
from onlay.task import Prediction, Raster

PROMPT = [9.0, 9.0]


def of_block(
    block: int, values: list[list[float]], layout: Layout, categories: int | None = 4
) -> Signal:
    """Behind a class token and as many prompts as blocks came before."""
    tokens = torch.tensor([[0.0, 0.0], *[PROMPT] * block, *values])
    name = "scale" if categories is None else "expert"
    return Signal(name, block, tokens, categories, layout)


def observation(
    name: str, found: tuple[Signal, ...] = (), kernels: Sequence[list[list[float]]] = ()
) -> Observation:
    """With kernels of 1 x 2, for each block as many as there are rows."""
    grid = Grid(1, 2, prefix=3)
    prediction = Prediction("<i>", 0.875, {"<i>": 0.875, "b": 0.125})
    features = Features(None, torch.zeros(1, 0, 4), torch.zeros(1, 2, 4), grid, inputs=None)
    pictures = tuple(
        Picture("kernels", block, torch.tensor(rows)[:, None]) for block, rows in enumerate(kernels)
    )
    return Observation(Path(name), torch.zeros(1), features, prediction, found, {}, pictures)


def written(folder: Path, seen: list[Observation], data: list[dict[str, Any]]) -> str:
    write(seen, folder / "page.html", data=data, scripts=["start(draw);"])
    return (folder / "page.html").read_text(encoding="utf-8")


@pytest.fixture
def page(tmp_path: Path) -> str:
    grid = Grid(1, 2, prefix=3)
    found = (
        of_block(0, [[0.25, 0.75], [-1, 0.0]], grid, None),
        of_block(0, [[3, 1], [2, 2]], grid),
        of_block(1, [[0.25, 1.25], [0, 3.0]], grid, None),
        of_block(1, [[0, 0], [0, 3]], grid),
    )
    data = {"end": "</script><b>&"}
    return written(tmp_path, [observation("a<b>&.png", found)], [data])


def data(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_categories_come_first_block_by_block_without_other_tokens(page: str) -> None:
    experts = data(page)["inputs"][0]["signals"][0]
    assert (experts["name"], experts["categories"]) == ("expert", 4)
    first, second = experts["blocks"]
    assert (first["title"], first["grid"]) == ("block 0", [1, 2])
    assert (first["values"], first["summary"], first["agreement"]) == (
        [[3, 1], [2, 2]], [1, 2], [0.5, 1.0],
    )  # fmt: skip
    assert second["values"] == [[0, 0], [0, 3]]
    assert second["usage"] == [0.75, 0, 0, 0.25]


def test_numbers_have_one_range_and_their_mean_at_the_end(page: str) -> None:
    scale = data(page)["inputs"][0]["signals"][1]
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


def test_numbers_of_several_inputs_have_one_range(tmp_path: Path) -> None:
    grid = Grid(1, 2)
    low = observation("low", (of_block(0, [[-1, 1], [0, 2]], grid, None),))
    high = observation("high", (of_block(0, [[5, 1], [1, 2]], grid, None),))
    found = data(written(tmp_path, [low, high], [{"n": 1}, {"n": 2}]))
    assert [(one["name"], one["n"]) for one in found["inputs"]] == [("low", 1), ("high", 2)]
    assert [one["signals"][0]["range"] for one in found["inputs"]] == [[-1, 5], [-1, 5]]
    assert found["differ"] == {}


def test_the_truth_stands_beside_the_answer_with_how_they_differ(tmp_path: Path) -> None:
    class Mapped(Prediction):
        def drawn(self) -> list[Any]:
            return [Raster("classes", torch.tensor([[0, 1]]), ("sky", "sea"))]

        def beside(self, truth: Any) -> list[Any]:
            wrong = torch.tensor([[0, 1]])
            return [Raster("wrong", wrong, ("right", "wrong"), colours=("#ffffff", "#ff0000"))]

    signal = of_block(0, [[1.0, 1.0], [0.0, 0.0]], Grid(1, 2), None)
    found, true = (Mapped(name, 1.0, {name: 1.0}) for name in ("sky", "sea"))
    seen = replace(observation("a", (signal,)), prediction=found)
    page = data(written(tmp_path, [replace(seen, truth=true)], [{}]))["inputs"][0]
    assert page["prediction"] == "sky, 100 %; truly sea, 100 %"
    titles = [piece["title"] for piece in page["answer"]]
    assert titles == ["prediction: classes", "truth: classes", "wrong"]
    assert page["answer"][2]["legend"] == [
        ["right", "50.0 %", 0, "#ffffff"], ["wrong", "50.0 %", 1, "#ff0000"],
    ]  # fmt: skip
    page = data(written(tmp_path, [seen], [{}]))["inputs"][0]
    assert [piece["title"] for piece in page["answer"]] == ["classes"]


KERNELS = [[[3.0, 0.0], [0.0, -4.0]], [[1.0, 0.0], [0.0, 0.0]]]
"""Of two blocks, two each; the norms are 5 and 1."""


def test_pictures_are_rows_of_numbers_by_block(tmp_path: Path) -> None:
    found = data(written(tmp_path, [observation("a", (), KERNELS)], [{}]))
    assert found["inputs"][0]["pictures"] == [
        {
            "name": "kernels",
            "meaning": "",
            "blocks": [
                {"title": "block 0", "block": 0, "size": [1, 2], "values": KERNELS[0]},
                {"title": "block 1", "block": 1, "size": [1, 2], "values": KERNELS[1]},
            ],
        }
    ]
    assert found["differ"] == {}


def test_how_much_pictures_differ_is_relative_to_their_mean_norm(tmp_path: Path) -> None:
    first = observation("a", (), KERNELS)
    # The difference (0, 0, 0, 5) with norms 5 and (9 + 1) ** 0.5, and that of (1, 0, 0, -1).
    second = observation("b", (), [[[3.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]]])
    expected = {"block 0": 5 / ((5 + 10**0.5) / 2), "block 1": 2**0.5}
    assert differences([first, second])["kernels"] == pytest.approx(expected)
    shown = data(written(tmp_path, [first, second], [{}, {}]))["differ"]["kernels"]
    assert shown == pytest.approx(expected)


def test_of_three_inputs_the_mean_over_pairs_and_of_zeros_nothing() -> None:
    one, minus, zero = (
        observation(name, (), [[[value, 0.0]]])
        for name, value in (("one", 1.0), ("minus", -1.0), ("zero", 0.0))
    )
    # 2 / 1 between the first two, 1 / 0.5 between each of them and zero.
    assert differences([one, minus, zero])["kernels"]["block 0"] == pytest.approx(2)
    assert differences([one, one, minus])["kernels"]["block 0"] == pytest.approx(4 / 3)
    assert differences([zero, zero])["kernels"]["block 0"] == 0


def test_a_page_says_what_it_is_of(tmp_path: Path) -> None:
    about = {"run": "runs/<b>", "backbone": "vit"}
    page = written(tmp_path, [replace(observation("a"), about=about)], [{}])
    facts = re.findall(r"<dt>(.*?)</dt> <dd>(.*?)</dd>", page)
    assert facts == [("run", "runs/&lt;b&gt;"), ("backbone", "vit")]


def test_what_every_adapter_has_comes_last_with_its_meaning_and_no_mean() -> None:
    grid = Grid(1, 2, prefix=3)
    other, still = (replace(of_block(0, [[1.0, 3.0]] * 2, grid, None), name=n) for n in "zy")
    change = [
        Signal(CHANGE, block, torch.tensor([[9.0], [0.0], [0.5]]), None, grid, meaning="how far")
        for block in (0, 1)
    ]
    first, second, last = signals([*change, other, still])
    assert [first["name"], second["name"], last["name"]] == ["y", "z", CHANGE]
    assert (last["meaning"], last["range"], last["still"]) == ("how far", [0.0, 0.5], False)
    assert [block["title"] for block in last["blocks"]] == ["block 0", "block 1"]


def test_a_change_of_nothing_is_still_and_other_zeros_are_not() -> None:
    zeros, grid = torch.zeros(2, 1), Grid(1, 2)
    zero, none = (Signal(name, 0, zeros, None, grid) for name in ("scale", CHANGE))
    assert [record["still"] for record in signals([none, zero])] == [False, True]


def test_names_and_data_are_no_markup(page: str) -> None:
    assert "<h1>a&lt;b&gt;&amp;.png <span>&lt;i&gt;, 88 %</span></h1>" in page
    assert "a<b>" not in page
    assert "<i>" not in page
    assert data(page)["inputs"][0]["end"] == "</script><b>&"
    assert page.count("</script>") == 2


def test_nothing_is_fetched_and_the_viewers_script_comes_last(page: str) -> None:
    assert not re.search(r"(src|href)=|url\(|@import|https?://", page)
    assert page.index("function start(") < page.index("start(draw);")


def test_colours_differ() -> None:
    assert len(set(COLOURS)) == 32
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in COLOURS)
