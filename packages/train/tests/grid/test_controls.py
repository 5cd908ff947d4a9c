"""Rows that a table is read by: which they are, what they train, what a report says of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from finished import finish

import onlay
from onlay.data import Splits
from onlay.errors import ConfigError
from onlay.host import PluginHost
from onlay.model.assemble import build_backbone
from onlay.reports import PERCENT
from onlay_train.grid.axes import content, control_of, labels, points
from onlay_train.grid.cells import drawn
from onlay_train.grid.facts import keys_in, lacks_trivial
from onlay_train.grid.plan import make_plan
from onlay_train.grid.report.files import as_latex, as_markdown, floor
from onlay_train.grid.report.gathered import found as found_in
from onlay_train.grid.report.page import page
from onlay_train.grid.report.regimes import captions, regimes, sentences
from onlay_train.grid.report.rows import Found, Reached, Row
from onlay_train.grid.report.summary import summarized
from onlay_train.grid.search import nearest
from onlay_train.grid.sizes import asked, work_out
from onlay_train.grid.trivial import ENDING, trivial_fact


def test_controls_stand_behind_the_methods_and_are_known(make, host):
    grid = make({"method": ["noisy", "linear"], "train.seed": [0, 1]}, controls=["linear", "full"])
    found = {labels(point)["method"]: control_of(point) for point in points(grid, host)}
    assert found == {"noisy": "", "linear": "linear", "full": "full"}
    assert len(points(grid, host)) == 6


SMALL = """
from typing import Literal
from onlay import hookimpl
from onlay.descriptors import Backbone
from onlay.settings import Config

class SmallConfig(Config):
    name: Literal["small"] = "small"
    side: int = 8

@hookimpl
def register_backbones():
    yield Backbone(
        name="small", config=SmallConfig, build="nowhere:build", modality="image", summary="small",
        provides="nowhere:provides", scratch=True,
    )
"""


def test_a_network_from_scratch_is_one_row_whatever_is_compared(make, plugin_file, tmp_path):
    (file := tmp_path / "small.py").write_text(SMALL)
    host = PluginHost.discover(only="train", files=[plugin_file, file])
    backbones = {"one": {"backbone": "tiny"}, "two": {"backbone": "tiny"}}
    grid = make({"method": ["noisy"], "backbone": backbones}, controls=["scratch"])
    scratch = [point for point in points(grid, host) if control_of(point)]
    assert len(points(grid, host)) == 3
    assert [labels(point)["method"] for point in scratch] == ["small from scratch"]
    data = content(grid, scratch[0], host)
    assert data["backbone"] == {"name": "small"}
    assert data["method"] == {"name": "full", "start": "random"}
    assert data["task"]["pool"] == "mean+max"


def test_a_size_that_another_method_says_is_worked_out(make, host, plugin_file):
    grid = make({"method": [{"name": "noisy", "rank": {"as_large_as": "full"}}]})
    (point,) = points(grid, host)
    assert labels(point) == {"method": "noisy(rank as full)"}
    wanted = asked(content(grid, point, host), host)
    known = work_out([wanted], [str(plugin_file)])
    (run,) = drawn(grid, host, known).runs
    rank = run[1].method.rank
    full, near = (trained(method, host) for method in ("full", {"name": "noisy", "rank": rank}))
    step = trained({"name": "noisy", "rank": rank + 1}, host) - near
    assert abs(full - near) <= step / 2
    assert drawn(grid, host).runs[0][1].method.rank == 1  # not known yet
    broken = drawn(grid, host, {wanted["key"]: "it cannot stand there"})
    assert [skip.reason for skip in broken.skipped] == ["method.rank: it cannot stand there"]


def trained(method, host):
    report = onlay.adapt("tiny", method, num_classes=2, host=host).trainable_report()
    return report.method + report.other


@pytest.mark.parametrize(
    ("axes", "controls", "said"),
    [
        ({"train.seed": [0]}, ["full"], "they stand beside the values of the axis `method`"),
        ({"method": ["noisy"]}, ["adaptformer"], "needs the method of that name"),
    ],
)
def test_controls_that_cannot_be_are_one_sentence(make, host, axes, controls, said):
    with pytest.raises(ConfigError, match=said):
        points(make(axes, controls=controls), host)


def row(method, control, score, seed=0, data="signs"):
    costs = {"trained": 1, "step_seconds": 0.1, "peak_bytes": 1, "bundle_bytes": 1}
    own = {
        "cell": f"{method}{seed}",
        "seed": str(seed),
        "part": "test",
        "train": None,
        "size": None,
    }
    told = {"method": method, "data": data, "source": data, "score": score}
    told |= {"loss": 0.0, "control": control, "adapter": not control}
    return Row(**told, **own, **costs)


def seeded(method, control, score, place):
    """Three seeds about a mean, each method's in an order of its own, so that no two differ alike:
    differences have a deviation of 0.35."""
    apart = [-0.2, 0.0, 0.2, -0.2, 0.0][place % 3 :][:3]
    return [row(method, control, score + own, seed) for seed, own in enumerate(apart)]


def report(scores, trivial=()):
    """Of `{method: (control, score)}` on one data set."""
    each = [(method, *own) for method, own in scores.items()]
    rows = [own for place, one in enumerate(each) for own in seeded(*one, place)]
    facts = {
        "root": "grid",
        "searches": (),
        "lost": (),
        "measure": PERCENT,
        "metric": "top1",
        "open_cells": 0,
    }
    more = {"skipped": (), "axes": ("method",), "trivial": dict(trivial)}
    return Found(name="grid", rows=rows, **facts, **more)


CONTROLS = {"linear": ("linear", 51.0), "full": ("full", 96.0), "cnn": ("scratch", 98.5)}


@pytest.mark.parametrize(
    ("arc", "cnn", "pays", "beaten", "said"),
    [
        (90.0, 98.5, False, True, "(51.0) and every adapter (the best is `arc`, 90.0)"),
        (99.0, 98.5, False, False, "On none of these data is the linear probe above"),
        (90.0, 51.4, False, False, "by more than the margin of 0.5: no claim"),
        (98.1, 98.5, False, False, "On none of these data is the linear probe above"),
        (90.0, 40.0, True, False, "Pretraining pays on signs: the linear probe is above"),
    ],
)
def test_a_data_set_is_shown_as_what_it_is(arc, cnn, pays, beaten, said):
    found = report(CONTROLS | {"cnn": ("scratch", cnn), "arc": ("", arc)})
    (regime,) = regimes(found, 0.5)
    assert (regime.pays, regime.beaten, regime.adapter) == (pays, beaten, "arc")
    assert said in " ".join(sentences(found, 0.5))
    assert regimes(report({"arc": ("", arc)}), 0.5) == []


def test_what_needs_no_training_is_a_row_of_every_table_and_a_caption():
    found = report(CONTROLS, {"signs": Reached("most frequent class", 25.0)})
    assert floor(found, 4) == [["most frequent class", "25.0", "", ""]]
    assert "the most frequent class has 25.0 % on signs" in " ".join(sentences(found, 0.5))
    shown = page(found, summarized(found, None, 0.5), [])
    assert shown.count("<td>most frequent class</td>") == 2
    assert "Without training, most frequent class: 25.0.</figcaption>" in shown
    lacking = replace(found, trivial={}, no_trivial={"signs": "why not"})
    assert "no row without training for signs: why not." in " ".join(sentences(lacking, 0.5))


def test_where_the_network_from_scratch_beats_all_is_told_beside_every_table():
    found = report(CONTROLS | {"arc": ("", 90.0)})
    summary = summarized(found, None, 0.5)
    (told,) = captions(found, 0.5)["signs"]
    assert told.startswith("On signs the network from scratch (98.5) beats the frozen probe (51.0)")
    assert told in as_markdown(found, summary)
    assert told in as_latex(found, summary)
    assert told.replace("`arc`", "<code>arc</code>") + "</figcaption>" in page(found, summary, [])
    paid = captions(report(CONTROLS | {"cnn": ("scratch", 40.0)}), 0.5)
    assert paid["signs"] == [
        "Pretraining pays here: the linear probe has 51.0, the network from scratch 40.0."
    ]


def test_without_training_is_judged_by_the_task_on_the_part_that_cells_are_judged_on(make, host):
    run = make({"method": ["noisy"]}, controls=["trivial"])
    (_, config), *_ = drawn(run, host).runs
    built = build_backbone(config.backbone, host)
    part = [(torch.zeros(3, 8, 8), n) for n in (1, 1, 0, 2, 1)]
    told = {"labels": ("a", "b", "c", "d"), "preprocessing": {}, "targets": "class"}
    splits = Splits(train=part, validation=part[2:4], test=part[:4], **told)
    assert trivial_fact(config, splits, built, host) == {
        "what": "most frequent class",
        "score": 0.5,
    }
    read = replace(splits, targets="mask")  # whose items are looked at
    assert trivial_fact(config, read, built, host) == trivial_fact(config, splits, built, host)
    blind = config.model_copy(
        update={"train": config.train.model_copy(update={"evaluate_test": False})}
    )
    assert trivial_fact(blind, splits, built, host)["score"] == 0.0
    nothing = replace(splits, validation=None, test=None)
    assert "neither a test nor" in trivial_fact(config, nothing, built, host)["none"]


def test_numbers_of_labels_with_their_epochs_are_the_axis_of_curves(make, host, root):
    few = {"2": {"data": {"train": 20}, "train": {"epochs": 2}}, "8": {"data": {"train": 40}}}
    plan = make_plan(make({"method": ["noisy", "linear"], "labels": few}), host, root, {})
    for cell in plan.cells():
        finish(plan.folder(cell), cell, 0.5)
    rows = found_in(plan).rows
    assert [(row.method, row.data, row.size) for row in rows[:2]] == [
        ("noisy", "stripes, labels=2", 2.0),
        ("noisy", "stripes, labels=8", 8.0),
    ]
    assert [nearest(label, ["2", "8"]) for label in ("1", "3", "5", "100")] == ["2", "2", "8", "8"]


def test_what_is_found_in_a_folder_knows_its_controls(make, host, root):
    grid = make({"method": ["noisy"], "train.seed": [0]}, controls=["linear", "full", "trivial"])
    plan = make_plan(grid, host, root, {})
    for cell in plan.cells():
        finish(plan.folder(cell), cell, 0.5)
        plan.known[keys_in(cell.config)["data"] + ENDING] = '{"what": "it", "score": 0.25}'
    seen = found_in(plan)
    assert {row.method: row.control for row in seen.rows} == {
        "noisy": "",
        "linear": "linear",
        "full": "full",
    }
    assert seen.trivial == {"stripes": Reached("it", 25.0)}
    config = plan.cells()[0].config
    known = {keys_in(config)["data"]: "split"}
    assert lacks_trivial(config, known)
    assert not lacks_trivial(config, {keys_in(config)["data"]: "failed: gone"})
    assert not lacks_trivial(config, plan.known | known)


def test_each_backbone_has_a_regime_of_its_own():
    """The probe is above the network from scratch on one of two; their mean would be below."""
    each = [("large", "linear", 90.0), ("small", "linear", 30.0), ("cnn", "scratch", 70.0)]
    each += [("arc / large", "", 95.0), ("arc / small", "", 40.0)]
    named = [("large",), ("small",), ("-",), ("large",), ("small",)]
    settled = [
        replace(own, setting=where)
        for place, (one, where) in enumerate(zip(each, named, strict=True))
        for own in seeded(*one, place)
    ]
    found = replace(report({}), rows=settled)
    one, two = regimes(found, 0.5)
    assert (one.named, one.pays, one.beaten, one.best) == ("signs (large)", True, False, 95.0)
    assert (two.named, two.pays, two.beaten, two.best) == ("signs (small)", False, True, 40.0)
    told = list(sentences(found, 0.5))
    assert any("Pretraining pays on signs (large): the linear probe" in each for each in told)
    assert any(each.startswith("On signs (small) the network from scratch (70.0)") for each in told)


def test_one_seed_tells_nothing_of_chance():
    rows = [row("linear", "linear", 50.0), row("cnn", "scratch", 49.0), row("arc", "", 10.0)]
    found = replace(report({}), rows=rows)
    (regime,) = regimes(found, 0.5)
    assert (regime.pays, regime.beaten) == (False, False)
    assert "beyond chance, of which one seed tells nothing, by more" in " ".join(
        sentences(found, 0.5)
    )


def test_a_regime_among_many_counts_by_what_is_left_after_holm():
    """Student's t of three pairs of mean 2 and deviation 0.6 is 5.8, p = 0.029: enough alone, and
    not beside a second data set where nothing is."""

    def on(data, linear):
        other = [row("cnn", "scratch", 50.0, n, data) for n in range(3)]
        return [row("linear", "linear", own, n, data) for n, own in enumerate(linear)] + other

    alone = replace(report({}), rows=on("a", [51.4, 52.0, 52.6]))
    assert [regime.pays for regime in regimes(alone, 0.5)] == [True]
    both = replace(alone, rows=[*alone.rows, *on("b", [49.8, 50.0, 50.2])])
    assert [regime.pays for regime in regimes(both, 0.5)] == [False, False]


def test_a_network_from_scratch_beats_all_adapters_only_if_it_is_told_apart_from_each():
    """The best adapter is far below; another one is not told apart, for it varies so much."""
    scores = {"linear": ("linear", 30.0), "cnn": ("scratch", 70.0), "arc": ("", 60.0)}
    found = report(scores)
    assert [regime.beaten for regime in regimes(found, 0.5)] == [True]
    wild = [row("wild", "", score, seed) for seed, score in enumerate([20.0, 45.0, 84.0])]
    assert [r.beaten for r in regimes(replace(found, rows=[*found.rows, *wild]), 0.5)] == [False]


def test_what_seeds_do_not_tell_apart_is_neither_ahead_nor_beaten():
    """Differences of -2, 1 and 8 points: their mean is 2.3, Student's interval reaches below 0."""
    seeds = [("linear", "linear", [26.0, 30.0, 24.0]), ("cnn", "scratch", [24.0, 31.0, 32.0])]
    rows = [row(m, c, score, n) for m, c, own in seeds for n, score in enumerate(own)]
    (regime,) = regimes(replace(report({}), rows=rows), 0.5)
    assert (regime.pays, regime.beaten) == (False, False)
    sure = [replace(own, score=own.score + 20 * (own.control == "scratch")) for own in rows]
    (regime,) = regimes(replace(report({}), rows=sure), 0.5)
    assert (regime.pays, regime.beaten) == (False, True)
