"""A program of `torch.export` routes as the model does, for any batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from onlay.model.program import export
from onlay_smoa.dispatch import BLOCK


def test_a_program_for_clouds(points: Any, adapt: Any, randomize: Any, tmp_path: Path) -> None:
    """Of one cloud, which fills no block of sub-tokens, and of batches that fill some."""
    built = points(depth=1, groups=4)
    model = randomize(adapt(built, base="dapt", pool="cls+prompts")).merge(partial=True).eval()
    export(model, tmp_path / "model.pt2")
    program = torch.export.load(tmp_path / "model.pt2").module()
    sub_tokens = 2 * (4 + 1)
    assert sub_tokens < BLOCK < 14 * sub_tokens
    for batch in (1, 4, 14, 40):
        clouds = torch.randn(batch, 64, 3, generator=torch.Generator().manual_seed(batch))
        with torch.no_grad():
            torch.testing.assert_close(program(clouds), model(clouds), rtol=1e-5, atol=1e-5)
