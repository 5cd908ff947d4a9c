"""A decoder while it trains."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from onlay.testing.checking import require
from onlay.testing.decoders.case import GRIDS, DecoderCase
from onlay.testing.states import listed


def check_trains_on_a_single_image(case: DecoderCase) -> None:
    """In training a batch of one image has a finite map and finite gradients, on every grid: no
    norm needs a second one."""
    for grid in GRIDS:
        gradients = _gradients(case, 1, grid)
        wrong = [name for name, g in gradients.items() if g is not None and not g.isfinite().all()]
        where = f"of one image with a finest map of {grid[0]} x {grid[1]} places"
        require(not wrong, f"gradients {where} are not finite: {listed(wrong)}")


def check_every_parameter_gets_a_gradient(case: DecoderCase) -> None:
    """A gradient that is not zero reaches every parameter of it, and every map that it is
    given."""
    gradients = _gradients(case, 2, (4, 4))
    idle = [name for name, gradient in gradients.items() if gradient is None or not gradient.any()]
    require(not idle, f"no gradient reaches {listed(idle)}")


def _gradients(case: DecoderCase, batch: int, grid: tuple[int, int]) -> Mapping[str, Tensor | None]:
    """Of every parameter and map, for a loss that weighs all places differently."""
    decoder = case.made().train()
    maps = [x.requires_grad_() for x in case.maps(batch, grid)]
    torch.manual_seed(0)
    found = decoder(maps)
    drawn = torch.Generator().manual_seed(1)
    (found * torch.randn(found.shape, generator=drawn)).sum().backward()
    own = {name: parameter.grad for name, parameter in decoder.named_parameters()}
    return own | {f"map {n}": x.grad for n, x in enumerate(maps)}
