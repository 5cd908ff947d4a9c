"""The environment holds what it is meant to hold, and `onlay plugins` says the same."""

from __future__ import annotations

import json
import os
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

from onlay import PluginHost
from onlay.host.firstparty import BROUGHT_BY

ROOT = Path(__file__).parent.parent


def test_installed_set(expected):
    found = {point.dist.name for point in metadata.entry_points(group="onlay")}
    assert found == expected, "stale environment? `hatch env prune`"


def test_onlay_plugins_agrees(onlay, expected):
    result = onlay("plugins", "--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert {row["distribution"] for row in rows} == expected
    assert {row["distribution"]: row["version"] for row in rows} == {
        name: metadata.version(name) for name in expected
    }
    assert {row["name"]: row["reason"] for row in rows if row["status"] != "ok"} == {}


def test_every_plugin_brings_something(onlay, expected):
    for row in json.loads(onlay("plugins", "--json").stdout):
        assert row["brings"], row["name"]
        shown = onlay("plugins", "show", row["name"])
        assert shown.exit_code == 0
        for names in row["brings"].values():
            assert all(name in shown.stdout for name in names)


def test_what_errors_tell_to_install_is_what_brings_it(expected, ours):
    """`pip install onlay-arc` must help: the table of core and the plugins agree, both ways."""
    for record in PluginHost.discover().plugins:
        if record.distribution == "onlay" or record.distribution not in ours:
            continue
        promised = {kind: set(names) for kind, names in BROUGHT_BY[record.distribution].items()}
        brought = {kind: set(names) for kind, names in record.brings.items() if names}
        brought = {kind: names for kind, names in brought.items() if kind in promised}
        assert brought == promised, record.distribution


@pytest.mark.parametrize("library", ["timm", "torchvision", "transformers"])
def test_clouds_need_no_library_of_images(expected, library):
    if "onlay-image" in expected:
        pytest.skip("images are installed, too")
    assert find_spec(library) is None


@pytest.mark.skipif("ONLAY_WHEELS" not in os.environ, reason="the sources are installed editable")
def test_the_wheels_are_tested_not_the_sources(expected):
    for name in expected:
        module = import_module(name.replace("-", "_"))
        assert ROOT not in Path(module.__file__).parents, module.__file__
