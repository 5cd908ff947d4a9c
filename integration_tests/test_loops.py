"""The loops of other people that the how-tos show train an adapted model, and it learns."""

from __future__ import annotations

import os
import re
import runpy
from pathlib import Path

import pytest

from onlay import load

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
pytestmark = pytest.mark.skipif(
    os.environ.get("ONLAY_EXPECT") != "all", reason="all that they need is in the set all"
)


@pytest.mark.parametrize(
    ("script", "needs"), [("lightning", "pytorch_lightning"), ("trainer", "transformers")]
)
def test_it_trains_an_adapted_model(script, needs, tmp_path, monkeypatch, capsys):
    pytest.importorskip(needs, reason=f"needs {needs}, which nothing of ours brings")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / f"loop_{script}.py"))
    found = re.search(r"right: ([\d.]+)% of 200", capsys.readouterr().out)
    assert found is not None
    assert float(found[1]) > 45  # of ten classes
    assert load(tmp_path / f"{script}-bundle").method.name == "linear"
