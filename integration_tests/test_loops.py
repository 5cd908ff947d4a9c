"""The loops of other people that the how-tos show train an adapted model, and it learns."""

from __future__ import annotations

import os
import re
import runpy
from pathlib import Path

import pytest

from onlay import load

DOCS = Path(__file__).parents[1] / "docs"
RIGHT = r"right: ([\d.]+)% of 200"
pytestmark = pytest.mark.skipif(
    os.environ.get("ONLAY_EXPECT") != "all", reason="all that they need is in the set all"
)


@pytest.mark.parametrize(
    ("script", "needs"), [("lightning", "pytorch_lightning"), ("trainer", "transformers")]
)
def test_it_trains_an_adapted_model(script, needs, tmp_path, monkeypatch, capsys):
    pytest.importorskip(needs, reason=f"needs {needs}, which nothing of ours brings")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(DOCS / "examples" / f"loop_{script}.py"))
    found = re.search(RIGHT, capsys.readouterr().out)
    assert found is not None
    assert float(found[1]) == pytest.approx(told(script), abs=4)  # machines differ in rounding
    assert load(tmp_path / f"{script}-bundle").method.name == "linear"


def told(script):
    """What the page says that it prints."""
    page = (DOCS / "how-to" / "loops.md").read_text(encoding="utf-8")
    found = re.search(RIGHT, page[page.index(f"loop_{script}.py") :])
    assert found is not None
    return float(found[1])
