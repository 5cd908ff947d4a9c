"""The code in the how-tos runs, and learns."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from onlay import load

DOCS = Path(__file__).parents[3] / "docs"
BLOCK = re.compile(r"^```\{\.python title=\"\w+\.py\"\}\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("script", "needs"), [("lightning", "pytorch_lightning"), ("trainer", "transformers")]
)
def test_other_peoples_loops_train_an_adapted_model(
    script: str,
    needs: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip(needs, reason=f"needs {needs}, which nothing of ours brings")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(DOCS / "examples" / f"loop_{script}.py"))
    found = re.search(r"right: ([\d.]+)% of 200", capsys.readouterr().out)
    assert found is not None
    assert float(found[1]) > 45  # of ten classes
    assert load(tmp_path / f"{script}-bundle").method.name == "linear"


@pytest.mark.parametrize(
    ("page", "printed"),
    [
        (
            "dino",
            "vit_small_patch14_dinov2 (1, 48) (1, 4, 48)\n"
            "vit_small_patch14_reg4_dinov2 (1, 48) (1, 4, 48)\n"
            "vit_small_patch16_dinov3 (1, 48) (1, 4, 48)\n",
        ),
        (
            "embeddings",
            "torch.Size([2, 192]) torch.Size([2, 64, 192]) torch.Size([2, 0, 192])\n",
        ),
    ],
)
def test_blocks_of_a_page_run(page: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = BLOCK.findall((DOCS / "how-to" / f"{page}.md").read_text(encoding="utf-8"))
    exec(compile(block, page, "exec"), {})
    assert capsys.readouterr().out == printed
