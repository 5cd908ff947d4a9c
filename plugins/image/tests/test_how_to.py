"""The code in the how-tos runs; `integration_tests` run the loops of other people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
