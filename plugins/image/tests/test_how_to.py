"""The code in the how-tos runs; `integration_tests` run the loops of other people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import onlay

DOCS = Path(__file__).parents[3] / "docs"
BLOCK = re.compile(r"^```\{\.python title=\"\w+\.py\"\}\n(.*?)^```", re.MULTILINE | re.DOTALL)


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


def test_the_exported_program_takes_any_number_of_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (DOCS / "how-to" / "deploy.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(import onlay, torch\n.*?)^```", page, re.M | re.S)
    model = onlay.adapt("onlay_vit_64", "linear", labels=["ant", "bee"]).eval()
    monkeypatch.setattr(onlay, "load", lambda path: model)
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "deploy", "exec"), {})
    program = torch.export.load("hands.pt2").module()
    with torch.no_grad():
        for count in (1, 3):
            images = torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(count))
            torch.testing.assert_close(program(images), model(images))
