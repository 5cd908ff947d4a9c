"""A name of ours that is not installed: one sentence that says what to install, exit status 2."""

from __future__ import annotations

import re
from importlib import metadata

import pytest

from onlay import PluginHost
from onlay.errors import UnknownName
from onlay.host.firstparty import BROUGHT_BY, install

INSTALLED = {point.dist.name for point in metadata.entry_points(group="onlay")}
MISSING = [
    (distribution, kind, name)
    for distribution, kinds in BROUGHT_BY.items()
    if distribution not in INSTALLED
    for kind, names in kinds.items()
    for name in names
]
THERE = {
    "onlay-image": ("onlay_vit_64", "{name: digits}"),
    "onlay-pointcloud": ("onlay_points", "{name: shapes}"),
    "onlay-example-sequence": ("small_sequence", "{name: histories, path: users.csv}"),
}
BACKBONE, DATA = THERE[next((name for name in THERE if name in INSTALLED), "onlay-image")]


@pytest.mark.parametrize(("distribution", "kind", "name"), MISSING)
def test_the_host_says_what_to_install(distribution, kind, name):
    with pytest.raises(UnknownName, match=re.escape(install(distribution))):
        PluginHost.discover().find(kind, name)


@pytest.mark.parametrize(
    ("distribution", "name"), [(d, name) for d, kind, name in MISSING if kind == "method"]
)
def test_a_run_with_a_missing_method(onlay, tmp_path, distribution, name):
    config = tmp_path / "run.yaml"
    config.write_text(f"backbone: {BACKBONE}\nmethod: {name}\ndata: {DATA}\n")
    result = onlay("train", str(config))
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    needed = distribution if "onlay-train" in INSTALLED else "onlay-train"
    assert install(needed) in result.stderr
    explained = onlay("explain", name)
    assert explained.exit_code == 2
    assert install(distribution) in explained.stderr
