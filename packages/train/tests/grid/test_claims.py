"""The grids of the claims: controls in each, one search for all rows, no key that is unknown."""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path

import pytest

from onlay.config.files import read
from onlay.host import PluginHost
from onlay_train.grid.axes import labels, points, values_of
from onlay_train.grid.file import parsed

CLAIMS = Path(__file__).parents[4] / "benchmarks" / "grids" / "claims"
ABLATIONS = CLAIMS.with_name("ablations")
HOST = PluginHost.discover()
NEEDED = {"arc", "dapt", "smoa", "iconformer", "lora", "adaptformer"}


@pytest.mark.skipif(not HOST.methods.keys() >= NEEDED, reason="a method is not installed")
@pytest.mark.parametrize("file", sorted(CLAIMS.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_claim_has_its_controls_and_an_equal_search(file):
    grid = parsed(read(file), HOST)
    rows = {value.label: value.control for value in values_of(grid, HOST)["method"]}
    assert list(rows)[:4] == ["arc", "dapt", "smoa", "iconformer"]
    assert {"linear", "full", "scratch", "lora", "adaptformer"} <= set(rows.values())
    where: dict[str, set[tuple[str, ...]]] = {}
    for point in points(grid, HOST):
        told = labels(point)
        where.setdefault(told.pop("method"), set()).add(tuple(told.values()))
    whole = [name for name, control in rows.items() if control in {"linear", "full", "scratch"}]
    beside = [name for name, control in rows.items() if control in {"lora", "adaptformer"}]
    assert len({frozenset(where[name]) for name in whole}) == 1
    assert len({frozenset(where[name]) for name in [*list(rows)[:4], *beside]}) == 1
    assert where["arc"] <= where[whole[0]]
    assert grid.search is not None
    assert grid.search.trials == 12
    assert grid.search.keys.keys() == {"train.lr", "train.weight_decay", "method.scale"}


@pytest.mark.skipif(not HOST.methods.keys() >= NEEDED, reason="a method is not installed")
@pytest.mark.parametrize(
    "file",
    sorted(set(ABLATIONS.glob("*.yaml")) - {ABLATIONS / "adapterx_rates.yaml"}),
    ids=lambda file: file.stem,
)
def test_every_ablation_changes_one_thing_of_one_method(file):
    grid = parsed(read(file), HOST)
    rows = [value for value in values_of(grid, HOST)["method"] if not value.control]
    first, *others = [_settings(value.fragment) for value in rows]
    name = first["method"]["name"]
    assert {other["method"]["name"] for other in others} == {name}
    for label, other in zip([row.label for row in rows[1:]], others, strict=True):
        changed = [key for key in _leaves(other) if key not in _leaves(first)]
        assert len(changed) == (2 if label in TWO else 1), (label, changed)


@pytest.mark.skipif(not HOST.methods.keys() >= NEEDED, reason="a method is not installed")
def test_methods_at_two_settings_have_both_and_nothing_else_differs():
    grid = parsed(read(ABLATIONS / "adapterx_rates.yaml"), HOST)
    tried: dict[str, dict[str, tuple[float, float]]] = {}
    for value in values_of(grid, HOST)["method"]:
        method = dict(value.fragment["method"])
        setting = (value.fragment["train"]["lr"], method.pop("scale"))
        which, rate = value.label.split(", ")
        tried.setdefault(str(method), {})[rate] = setting
        assert which in {"default", "whole gate", "1 expert", "adaptformer"}
    assert len(tried) == 4
    both = {"lower rate": (0.0025124, 1.858), "higher rate": (0.010488, 0.85406)}
    assert list(tried.values()) == [both] * 4


TWO = {"cold", "open and slow"}
"""A temperature of their own that stays; both changes together."""


def _settings(settings):
    method = settings["method"]
    return {**settings, "method": method if isinstance(method, dict) else {"name": method}}


def _leaves(tree, before=""):
    if not isinstance(tree, dict):
        return {(before, str(tree))}
    return {leaf for key, value in tree.items() for leaf in _leaves(value, f"{before}.{key}")}


def test_there_are_claims():
    assert {file.stem for file in CLAIMS.glob("*.yaml")} >= {"signs", "activities", "nuclei"}


@pytest.fixture
def claims(monkeypatch, tmp_path):
    """The benchmark's module, with folders of its own."""
    monkeypatch.syspath_prepend(str(CLAIMS.parents[1]))
    module = importlib.import_module("claims")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "MADE", tmp_path / "runs" / "data")
    monkeypatch.setattr(module, "RUNS", tmp_path / "runs" / "claims")
    monkeypatch.setattr(module, "KEPT", tmp_path / "results")
    return module


def test_records_and_backbones_are_kept_and_count_elsewhere(claims, tmp_path):
    name = "new_characters"
    weights = claims.MADE / claims.REGIMES[name].backbone
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    root = claims.RUNS / name
    for cell, files in {
        "done": ("cell.json", "summary.json", "last.pt"),
        "failed": ("cell.json", "error.json"),
        "begun": ("cell.json", "last.pt"),
    }.items():
        (root / "cells" / cell).mkdir(parents=True)
        for file in files:
            (root / "cells" / cell / file).write_text(f"{cell} {file}")
    (root / "facts.json").write_text("{}")
    claims.pack(name)
    packed = (claims.KEPT / f"{name}.tar.xz").read_bytes()
    os.utime(root / "facts.json", (1, 1))
    claims.pack(name)
    assert (claims.KEPT / f"{name}.tar.xz").read_bytes() == packed

    shutil.rmtree(tmp_path / "runs")
    claims.unpack(name)
    found = {p.relative_to(root).as_posix(): p.read_text() for p in root.rglob("*.json")}
    assert found == {
        "facts.json": "{}",
        "cells/done/cell.json": "done cell.json",
        "cells/done/summary.json": "done summary.json",
        "cells/failed/cell.json": "failed cell.json",
        "cells/failed/error.json": "failed error.json",
    }
    assert not list(root.rglob("last.pt"))
    assert weights.read_bytes() == b"weights"


def test_the_backbone_of_the_records_goes_before_another_one(claims):
    """Records stand on its bytes: neither is a newer one taken, nor does it take the kept one's
    place."""
    name = "new_characters"
    kept, own = (folder / claims.REGIMES[name].backbone for folder in (claims.KEPT, claims.MADE))
    for path, content in ((kept, b"kept"), (own, b"another")):
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    (claims.RUNS / name / "cells").mkdir(parents=True)
    (claims.RUNS / name / "facts.json").write_text("{}")
    claims.pack(name)
    claims.unpack(name)
    assert kept.read_bytes() == own.read_bytes() == b"kept"


def test_what_is_there_already_stays(claims):
    name = "dapt_gates"
    cell = claims.RUNS / name / "cells" / "one"
    cell.mkdir(parents=True)
    for file in ("cell.json", "summary.json"):
        (cell / file).write_text("kept")
    (claims.RUNS / name / "facts.json").write_text("{}")
    claims.pack(name)
    (cell / "summary.json").write_text("newer")
    claims.unpack(name)
    assert (cell / "summary.json").read_text() == "newer"


ON_HANDS = pytest.mark.skipif(
    "arc" not in HOST.methods or "onlay_vit_64" not in HOST.backbones,
    reason="the method or the backbone is not installed",
)


@ON_HANDS
def test_what_is_left_is_told_beside_what_there_is_in_all(claims):
    plan = claims.plan_of("arc_precision", {})
    cells = plan.cells()
    for cell in cells[:3]:
        plan.folder(cell).path.mkdir(parents=True)
        plan.folder(cell).error.write_text('{"kind": "RunError", "said": "its loss is not finite"}')
    whole = claims.cost("arc_precision")
    assert (whole.cells, whole.trials) == (12, 0)
    assert whole.left == pytest.approx(whole.hours * 9 / 12)  # all are of one length
    part = claims.cost("arc_precision", {"draw_seed": ["0", "1"]})
    assert part.cells == 4
    assert part.hours == pytest.approx(whole.hours * 4 / 12)
    *_, last = claims.told(["arc_precision"], 20)
    assert last.startswith("all: 12 cells, 0 trials, about 0.2 CPU hours, of which 0.1 are left;")


def test_a_grid_names_its_folders_from_the_root_on_so_that_a_cell_is_the_same_one_anywhere(
    claims, tmp_path
):
    for name in claims.REGIMES:
        grid = claims.text(name)
        assert "runs/data/" in grid
        assert str(tmp_path) not in grid


@ON_HANDS
def test_a_slip_in_what_is_asked_for_ends_in_a_sentence(claims, monkeypatch, capsys):
    words = ["claims.py", "arc_precision", "--dry-run", "--only", "labels=5"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit, match="2"):
        claims.main()
    said = capsys.readouterr().err
    assert "--only: `labels` is no axis (have: method, draw_seed)" in said
