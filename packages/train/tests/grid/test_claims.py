"""The grids of the claims: controls in each, one search for all rows, no key that is unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from onlay.config.files import read
from onlay.host import PluginHost
from onlay_train.grid.axes import points, values_of
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
    assert len(points(grid, HOST)) % len(rows) == 0
    assert grid.search is not None
    assert grid.search.trials == 12
    assert grid.search.keys.keys() == {"train.lr", "train.weight_decay", "method.scale"}


@pytest.mark.skipif(not HOST.methods.keys() >= NEEDED, reason="a method is not installed")
@pytest.mark.parametrize("file", sorted(ABLATIONS.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_ablation_changes_one_thing_of_one_method(file):
    grid = parsed(read(file), HOST)
    rows = [value for value in values_of(grid, HOST)["method"] if not value.control]
    first, *others = [_settings(value.fragment) for value in rows]
    name = first["method"]["name"]
    assert {other["method"]["name"] for other in others} == {name}
    for label, other in zip([row.label for row in rows[1:]], others, strict=True):
        changed = [key for key in _leaves(other) if key not in _leaves(first)]
        assert len(changed) == (2 if label in TWO else 1), (label, changed)


TWO = {"cold", "hot", "open and slow"}
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
