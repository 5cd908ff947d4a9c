"""The mixture in an exported program: the number of sub-tokens stays open."""

from __future__ import annotations

from typing import Any

import pytest
import torch


@pytest.mark.parametrize("base", ["adaptformer", "dapt"])
def test_for_any_batch_size(base: str, mixture: Any) -> None:
    """Sub-tokens of batches of 1, 3 and 200 fill from one to several blocks."""

    class Alone(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mixture = mixture(base=base).eval()

        def forward(self, z_BTD: torch.Tensor) -> torch.Tensor:
            return self.mixture(z_BTD, 0).output

    alone = Alone()
    width = alone.mixture.width
    batch = torch.export.Dim("batch", min=1, max=4096)
    program = torch.export.export(
        alone, (torch.randn(2, 5, 3 * width, dtype=torch.float64),), dynamic_shapes=({0: batch},)
    )
    for size in (1, 3, 200):
        z_BTD = torch.randn(size, 5, 3 * width, dtype=torch.float64)
        with torch.no_grad():
            torch.testing.assert_close(program.module()(z_BTD), alone(z_BTD), rtol=0, atol=1e-12)
