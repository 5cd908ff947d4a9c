"""A name of ours that is not installed: one sentence that says what to install, exit status 2."""

from __future__ import annotations

from importlib import metadata

import pytest

from inlay import PluginHost
from inlay.errors import UnknownName
from inlay.firstparty import BROUGHT_BY

INSTALLED = {point.dist.name for point in metadata.entry_points(group="inlay")}
MISSING = [
    (distribution, kind, name)
    for distribution, kinds in BROUGHT_BY.items()
    if distribution not in INSTALLED
    for kind, names in kinds.items()
    for name in names
]
CLOUDS = "inlay-pointcloud" in INSTALLED and "inlay-image" not in INSTALLED
RUN = f"""\
backbone: {"inlay_points" if CLOUDS else "inlay_vit_64"}
method: {{method}}
data: {{{{name: {"shapes" if CLOUDS else "digits"}}}}}
"""


@pytest.mark.parametrize(("distribution", "kind", "name"), MISSING)
def test_the_host_says_what_to_install(distribution, kind, name):
    with pytest.raises(UnknownName, match=f"pip install {distribution}"):
        PluginHost.discover().find(kind, name)


@pytest.mark.parametrize(
    ("distribution", "name"), [(d, name) for d, kind, name in MISSING if kind == "method"]
)
def test_a_run_with_a_missing_method(inlay, tmp_path, distribution, name):
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(method=name))
    result = inlay("train", str(config))
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    needed = distribution if "inlay-train" in INSTALLED else "inlay-train"
    assert f"pip install {needed}" in result.stderr
    explained = inlay("explain", name)
    assert explained.exit_code == 2
    assert f"pip install {distribution}" in explained.stderr
