"""Grids under a name: what a command line adds, what an earlier start asked for, what is not
there."""

from __future__ import annotations

from pathlib import Path

import pytest
import small_protocol
from finished import finish

from onlay.config.files import as_text, read
from onlay.host import PluginHost
from onlay.testing.said import fails
from onlay_train.grid.axes import assembled, points
from onlay_train.grid.file import parsed
from onlay_train.grid.plan import make_plan
from onlay_train.grid.protocols import Asked, of_protocol, seeds_of, with_words
from onlay_train.grid.report.recipes import recipes
from onlay_train.grid.report.writing import looked_at


@pytest.fixture
def known(host: PluginHost, tmp_path: Path) -> PluginHost:
    host.add(small_protocol, name="small")
    for name in ("ants", "bees"):
        (tmp_path / "data" / name).mkdir(parents=True)
    return host


def asked(tmp_path: Path, *methods: str, **more) -> Asked:
    more = {"backbones": ["tiny"], "data_root": tmp_path / "data", **more}
    return Asked(methods=methods, **more)


def test_a_command_line_names_axes_and_changes_all_cells(known, tmp_path):
    ants = str(tmp_path / "data" / "ants")
    words = ["train.epochs=3", "method.dropout=0.5", f"data.path={ants}"]
    block = "{name: noisy, rank: 2}"
    one = asked(tmp_path, "linear", block, seeds="4,7", words=words)
    content, gone = of_protocol("small", one, tmp_path / "out", known)
    assert content["grid"]["method"] == ["linear", {"name": "noisy", "rank": 2}]
    assert (content["grid"]["train.seed"], content["grid"]["backbone"]) == ([4, 7], ["tiny"])
    assert [own["data"]["path"] for own in content["grid"]["data"].values()] == [ants, ants]
    assert content["base"]["train"] == {"epochs": 3}
    assert gone == []
    grid = parsed(content, known)
    data, _ = assembled(grid, points(grid, known)[-1], known)
    assert data["method"] == {"name": "noisy", "rank": 2, "dropout": 0.5}
    assert data["data"] == {"name": "image_folder", "path": ants, "val_size": 0}
    taken = with_words({"grid": {"method": ["full"]}}, Asked(seeds="2"), known, {})
    assert taken["grid"] == {"method": ["full"], "train.seed": [0, 1]}  # of a file, too


def test_methods_are_trained_by_their_own_recipes(known, tmp_path, monkeypatch):
    monkeypatch.setitem(vars(known.methods["noisy"]), "presets", {"of-all": {}, "of-bees": {}})
    content, _ = of_protocol(
        "small", asked(tmp_path, "noisy", "full", "linear"), tmp_path / "out", known
    )
    grid = parsed(content, known)
    found = [assembled(grid, point, known)[0] for point in points(grid, known)[::2]]
    assert [each.get("preset") for each in found] == ["of-all", "of-bees", *[None] * 4]
    assert [each["train"].get("lr") for each in found] == [None, None, 0.5, 0.5, 0.125, 0.125]


def test_a_preset_may_be_meant_for_some_backbones(known, make, monkeypatch):
    presets = {"for-tiny": {}, "for-a": {}, "general": {}}
    monkeypatch.setitem(vars(known.methods["noisy"]), "presets", presets)
    axes = {"method": ["noisy"], "data": {"a": {"data": "stripes"}}}
    for pattern, taken in {"*in*": "for-tiny", "other": "for-a"}.items():
        first = {"name": "for-tiny", "when": {"backbone.name": pattern}}
        grid = make(axes, recipes={"presets": [first, "for-{data}", "general"]})
        assert assembled(grid, points(grid, known)[0], known)[0]["preset"] == taken


def test_the_report_says_whose_settings_each_method_has(known, make, root, monkeypatch):
    monkeypatch.setitem(vars(known.methods["noisy"]), "presets", {"of-a": {}, "wide": {}})
    data = {name: {"data": "stripes", "train": {"epochs": n}} for n, name in enumerate("abc", 1)}
    grid = make(
        {"method": ["noisy", "full"], "data": data}, recipes={"presets": ["of-{data}", "wide"]}
    )
    plan = make_plan(grid, known, root, {})
    for cell in plan.cells():
        finish(plan.folder(cell), cell, 0.5)
    *_, told = looked_at(plan)
    assert "Trained by presets of their own: `noisy` (`of-a`; `wide` on `b`, `c`)." in told
    assert "Trained by what the grid gives to methods without a preset: `full`." in told


def test_many_presets_are_a_number_and_a_method_may_have_them_in_part():
    taken = [("arc", name, f"vtab-{name}") for name in "abcde"]
    taken += [("lora", name, "vtab") for name in "abcde"]
    taken += [("third", name, "vtab-a" if name == "a" else None) for name in "abcde"]
    assert list(recipes(taken, ["vtab-{data}", "vtab"])) == [
        "Trained by presets of their own: `arc` (`vtab-a`, `vtab-b`, `vtab-c` and 2 more); `lora`"
        " (`vtab`); `third` (`vtab-a`).",
        "Trained, on data sets without a preset, by what the grid gives to methods without a"
        " preset: `third`.",
    ]


def test_a_search_is_asked_for_and_trials_have_settings_of_their_own(known, tmp_path):
    out = tmp_path / "out"
    content, _ = of_protocol("small", asked(tmp_path, seeds="1", trials=2), out, known)
    content["grid"]["data"] = {"a": {"data": "stripes"}}
    content["base"], content["search"]["settings"] = {}, {"data.train": 90, "train.opt": "sgd"}
    plan = make_plan(parsed(content, known), known, out, {})
    (trials,) = (group.trials for group in plan.groups.values())
    assert [trial.config["data"]["train"] for trial in trials] == [90, 90]
    assert {trial.config["train"]["opt"] for trial in trials} == {"sgd"}
    assert plan.drawn.runs[0][1].data.train != 90
    assert of_protocol("small", asked(tmp_path), out, known)[0]["search"] is None
    fails(
        lambda: with_words({"grid": {}}, Asked(trials=3), known, {}),
        "this grid does not say what is searched",
    )


def test_what_an_earlier_start_asked_for_stays(known, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    first, _ = of_protocol("small", asked(tmp_path, "noisy"), out, known)
    (out / "grid.yaml").write_text(as_text(first))
    again = asked(tmp_path, "full", "noisy", backbones=())
    second, _ = of_protocol("small", again, out, known)
    assert second["grid"] == {**first["grid"], "method": ["noisy", "full"]}
    assert of_protocol("small", asked(tmp_path), out, known)[0] == read(out / "grid.yaml")
    (tmp_path / "data" / "bees").rmdir()  # taken away: its cells still belong to the table
    assert of_protocol("small", asked(tmp_path), out, known) == (first, [])
    other = asked(tmp_path, "full", words=["train.epochs=9"])
    fails(
        lambda: of_protocol("small", other, out, known),
        "`base.train.epochs` is `7` there and `9` here; give another folder with `--out`",
    )


def test_data_sets_that_are_not_there_are_named_and_the_others_go_on(known, tmp_path):
    bees = tmp_path / "data" / "bees"
    bees.rmdir()
    content, gone = of_protocol("small", asked(tmp_path, "linear"), tmp_path / "out", known)
    assert list(content["grid"]["data"]) == ["ants"]
    assert gone == [f"`bees` is not there: there is no `{bees}`"]
    nowhere = asked(tmp_path, "linear", data_root=tmp_path / "elsewhere")
    fails(
        lambda: of_protocol("small", nowhere, tmp_path / "out", known),
        "`ants` is not there: there is no",
        "(nor `bees`); `--data-root` says where data are",
    )


def test_slips_are_one_sentence(known, tmp_path, onlay_command):
    def start(name: str = "small", **more):
        return lambda: of_protocol(name, asked(tmp_path, **more), tmp_path / "out", known)

    fails(start("wrong"), "`wrong` gives no grid with data sets")
    fails(start(backbones=()), "has no backbone of its own: name one with `--backbone`")
    fails(start(words=["train.seed=3"]), "`train.seed` is an axis of the grid")
    for text in ("0", "-1", "a", "1,1", ""):
        fails(lambda text=text: seeds_of(text), "say how many, `3`, or which")
    for words, said in (
        (("smal",), "no protocol `smal` is installed (have: "),
        (("g.yaml", "--data-root", "x"), "`--data-root` is for protocols"),
        ((), "name a grid file, or a protocol"),
    ):
        found = onlay_command("compare", "--out", str(tmp_path / "o"), *words, small=False)
        assert (found.exit_code, said in found.output) == (2, True), found.output
    shown = onlay_command("compare", "--list", small=False)
    assert "no installed plugin brings a protocol" in shown.output or "vtab-1k" in shown.output
