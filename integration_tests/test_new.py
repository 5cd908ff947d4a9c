"""`inlay new` from what is installed: the templates are in the wheel, and fit its version."""

from __future__ import annotations

import sys

import pytest

KINDS = ("method", "backbone", "task", "dataset")


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_is_explained_without_installing_it(inlay, kind, tmp_path, monkeypatch):
    written = inlay("new", kind, "probe", "--into", str(tmp_path))
    assert written.exit_code == 0, written.output
    source = tmp_path / "inlay-probe" / "src"
    monkeypatch.syspath_prepend(str(source))
    plugin = source / "inlay_probe" / "plugin.py"
    explained = inlay("--plugin", str(plugin), "explain", "probe")
    for module in ("plugin", "inlay_probe", "inlay_probe.config"):
        sys.modules.pop(module, None)
    assert explained.exit_code == 0, explained.output
    assert f"{kind} probe (plugin.py): " in explained.output
