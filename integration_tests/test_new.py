"""`onlay new` from what is installed: the templates are in the wheel, and fit its version."""

from __future__ import annotations

import sys

import pytest

KINDS = ("method", "backbone", "task", "dataset")


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_is_explained_without_installing_it(onlay, kind, tmp_path, monkeypatch):
    written = onlay("new", kind, "probe", "--into", str(tmp_path))
    assert written.exit_code == 0, written.output
    source = tmp_path / "onlay-probe" / "src"
    monkeypatch.syspath_prepend(str(source))
    plugin = source / "onlay_probe" / "plugin.py"
    explained = onlay("--plugin", str(plugin), "explain", "probe")
    for module in ("plugin", "onlay_probe", "onlay_probe.config"):
        sys.modules.pop(module, None)
    assert explained.exit_code == 0, explained.output
    assert f"{kind} probe (plugin.py): " in explained.output
