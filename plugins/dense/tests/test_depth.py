"""The task `depth`: what it tells, what it learns from, what it writes."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from onlay import PluginHost, adapt
from onlay.errors import ConfigError, DataError
from onlay.model.answers import Answers
from onlay.task import Input
from onlay.testing import tiny_backbone
from onlay_dense.depth.answer import DepthAnswer
from onlay_dense.depth.valid import silog_B

HOST = PluginHost.discover()
ASKED = Answers("task `depth`")


def model_of(**settings: Any) -> Any:
    task = {"name": "depth", "decoder": "linear", **settings}
    return adapt(tiny_backbone(), "linear", task=task, labels=["depth"], host=HOST).eval()


@pytest.mark.parametrize("output", ["sigmoid", "softplus"])
def test_depths_begin_in_the_middle_and_have_the_size_of_the_picture(output: str) -> None:
    model = model_of(output=output, min=1.0, max=9.0)
    depths = model(torch.zeros(2, 3, 8, 12))
    assert depths.shape == (2, 8, 12)
    assert (depths - 5).abs().max() < 0.05


def test_sigmoid_stays_between_its_bounds() -> None:
    model = model_of(min=1.0, max=9.0)
    with torch.no_grad():
        model.head.last.weight.mul_(1e6)
    depths = model(torch.randn(2, 3, 16, 16))
    assert 1 <= depths.min() < 1.1
    assert 8.9 < depths.max() <= 9


def test_silog_by_hand() -> None:
    """e is 0, ln 2 and, in a hole, anything."""
    told, true = torch.tensor([[[1.0, 4.0, 7.0]]]), torch.tensor([[[1.0, 2.0, 0.0]]])
    for forgiven in (0.0, 0.5, 0.85):
        wanted = math.sqrt(math.log(2) ** 2 / 2 - forgiven * (math.log(2) / 2) ** 2 + 1e-6)
        assert silog_B(told, true, true > 0, forgiven).item() == pytest.approx(wanted, rel=1e-5)


def test_pixels_that_do_not_count_have_no_say_in_the_loss() -> None:
    head = model_of(min=0.5, max=5.0).head
    told = torch.full((3, 4, 4), 2.0, requires_grad=True)
    true = torch.full((3, 4, 4), 3.0)
    true[0, 0], true[0, 1], true[0, 2] = 0, 0.1, 7.0  # a hole, too near, too far
    true[2] = math.nan
    loss = head.loss(told, true)
    assert loss.item() == pytest.approx(math.sqrt(math.log(1.5) ** 2 / 2 + 1e-6), rel=1e-5)
    assert head.weight_of(true) == 2
    (gradient,) = torch.autograd.grad(loss, told)
    assert gradient.isfinite().all()
    assert gradient.ne(0).flatten(1).sum(1).tolist() == [4, 16, 0]


def test_a_batch_without_a_valid_pixel_costs_nothing() -> None:
    head = model_of().head
    told = torch.full((2, 4, 4), 2.0, requires_grad=True)
    loss = head.loss(told, torch.zeros(2, 4, 4))
    assert (loss.item(), head.weight_of(torch.zeros(2, 4, 4)).item()) == (0, 0)
    assert torch.autograd.grad(loss, told)[0].eq(0).all()


def test_a_flip_test_is_the_mean_of_both_views() -> None:
    plain, both = model_of(), model_of(flip_test=True)
    for model in (plain, both):
        torch.manual_seed(0)
        torch.nn.init.normal_(model.head.last.weight)
    pictures = torch.randn(2, 3, 8, 12)
    wanted = (plain(pictures) + plain(pictures.flip(-1)).flip(-1)) / 2
    assert torch.allclose(both(pictures), wanted)
    assert torch.equal(both.train()(pictures), plain(pictures))  # not while training


def splits(depth: Tensor) -> Any:
    return SimpleNamespace(train=[(torch.zeros(3, 4, 4), depth)] * 3)


def test_depths_beyond_the_range_are_refused_before_training() -> None:
    head = model_of().head
    head.prepare(splits(torch.full((4, 4), 9.0)))
    with pytest.raises(
        DataError, match=r"100 % of the depths .* `task.max` \(10\): they go from 2"
    ):
        head.prepare(splits(torch.full((4, 4), 2000.0)))


def test_a_range_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"`min` \(5\) must be below `max` \(5\)"):
        model_of(min=5, max=5)
    with pytest.raises(ConfigError, match="unit"):
        model_of(unit="%")


def test_an_answer_says_itself() -> None:
    answer = DepthAnswer(torch.tensor([[1.0, 2.5], [2.5, 4.0]]), "m", 10.0)
    assert ASKED.line(answer) == "2.500 m (1 to 4)"
    assert ASKED.cells(answer) == {"median": "2.500 m", "min": "1.000 m", "max": "4.000 m"}
    numbers = {"median": 2.5, "min": 1.0, "max": 4.0}
    assert ASKED.record(answer) == {**numbers, "unit": "m", "size": [2, 2], "scale": 1000}
    (raster,) = ASKED.drawn(answer)
    assert (raster.title, raster.unit) == ("depth", "m")


@pytest.mark.parametrize(("most", "scale"), [(10.0, 1000), (80.0, 256), (600.0, 100), (1e6, 1)])
def test_written_maps_keep_depths_to_half_a_step(most: float, scale: int, tmp_path: Path) -> None:
    depths = torch.tensor([[0.0001, 0.37], [0.5 * most, 0.99 * most]]).clamp(max=65_000)
    answer = DepthAnswer(depths, "m", most)
    assert ASKED.files(answer, tmp_path, "a", Path("a.jpg")) == [
        "a-depth-colours.png",
        "a-depth.png",
    ]
    with Image.open(tmp_path / "a-depth.png") as picture:
        assert (picture.mode, picture.text) == ("I;16", {"scale": str(scale), "unit": "m"})
        written = np.asarray(picture)
    assert written.dtype == np.uint16
    assert written[0, 0] == 1  # not 0, which is a hole
    assert np.abs(written / scale - depths.numpy())[depths > 1 / scale].max() <= 0.5 / scale + 1e-6


def test_a_written_map_lies_on_the_picture(tmp_path: Path) -> None:
    """Its middle, 4 of 8 columns, was seen as 2 x 2 pixels."""
    Image.new("RGB", (8, 4)).save(tmp_path / "wide.png")
    facts = {"img_size": [2, 2], "resize": "crop", "crop_pct": 1.0, "interpolation": "bilinear"}
    answer = DepthAnswer(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "m", 10.0)
    answer = answer.with_input(Input(tmp_path / "wide.png", torch.zeros(3, 2, 2), facts))
    answer.write(tmp_path, "a")
    with Image.open(tmp_path / "a-depth.png") as picture:
        rows = (np.asarray(picture) // 1000).tolist()
    assert rows == [[0, 0, 1, 1, 2, 2, 0, 0]] * 2 + [[0, 0, 3, 3, 4, 4, 0, 0]] * 2


def test_near_is_dark_and_far_is_bright(tmp_path: Path) -> None:
    DepthAnswer(torch.tensor([[1.0, 2.0, 3.0]]), "m", 10.0).write(tmp_path, "a")
    with Image.open(tmp_path / "a-depth-colours.png") as picture:
        pixels = [picture.getpixel((x, 0)) for x in range(3)]
    assert pixels == [(68, 1, 84), (33, 145, 140), (253, 231, 37)]


def test_a_report_has_the_worst_pictures_first() -> None:
    pytest.importorskip("torchmetrics", reason="comes with onlay-train")
    head = model_of().head
    true = torch.full((4, 2, 2), 2.0)
    true[2] = 0  # left out
    told = torch.stack([torch.full((2, 2), depth) for depth in (2.2, 4.0, 9.0, 1.0)])
    pieces = [head.condense(told[n : n + 2], true[n : n + 2]) for n in (0, 2)]
    report = head.report(*(torch.cat(column) for column in zip(*pieces, strict=True)))
    assert [mistake.index for mistake in report.mistakes] == [1, 3, 0]
    worst = report.mistakes[0]
    assert (worst.said, worst.true, worst.score_text) == (
        "median 4.000 m",
        "median 2.000 m",
        "abs_rel 1.000",
    )
    (table,) = report.tables
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["abs_rel"][2] == pytest.approx(0.5)  # of 0.1, 0.5 and 1


def test_a_truth_lies_beside_its_answer_with_holes() -> None:
    head = model_of().head
    (truth,) = head.truths(torch.tensor([[[2.0, 0.0], [50.0, 4.0]]]))
    (answer,) = head.predict(torch.tensor([[[3.0, 1.0], [1.0, 4.0]]]))
    assert truth.line() == "2.000 m (2 to 4)"
    (error,) = answer.beside(truth)
    assert error.title == "off by 25.0 % on average"  # of a half and nothing
    assert error.values_HW.nan_to_num(-1).tolist() == [[1, -1], [-1, 0]]
    assert truth.drawn()[0].values_HW.isnan().tolist() == [[False, True], [True, False]]
    told, true, _ = ASKED.compared(answer, truth)
    assert told.limits == true.limits == (1.0, 4.0)  # of both
    (nothing,) = head.truths(torch.zeros(1, 2, 2))
    assert (nothing.line(), ASKED.record(nothing)["median"]) == ("no depth", None)
