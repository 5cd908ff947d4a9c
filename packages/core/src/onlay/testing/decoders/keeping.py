"""Where a decoder starts, and what is kept of it."""

from __future__ import annotations

import torch
from torch import nn

from onlay.testing.checking import require
from onlay.testing.decoders.case import DecoderCase
from onlay.testing.states import apart, bits, changed, shake


def check_starts_alike_under_a_seed(case: DecoderCase) -> None:
    """Two that are made under one seed are equal bit for bit: every random number comes from
    torch's generator."""
    names = changed(bits(case.made()), bits(case.made()))
    require(not names, f"{names} differ between two that were made under one seed")


def check_has_as_many_parameters_under_any_seed(case: DecoderCase) -> None:
    """Names and sizes of its parameters and buffers do not depend on the seed."""
    first, second = (
        {name: tuple(tensor.shape) for name, tensor in bits(case.made(seed)).items()}
        for seed in (0, 1)
    )
    other = sorted(name for name, _ in first.items() ^ second.items())
    require(not other, f"under another seed `{other[0] if other else ''}` has another size")


def check_state_makes_the_same_map(case: DecoderCase) -> None:
    """A fresh one that is given the `state_dict` of another makes the same map bit for bit."""
    decoder, other = case.made(), case.made(seed=1)
    shake(decoder.parameters(), 0.1)
    other.load_state_dict(decoder.state_dict())
    with torch.no_grad():
        same = torch.equal(decoder(case.maps()), other(case.maps()))
    require(same, "its map is not all in its `state_dict`")


class _Listed(nn.Module):
    """The decoder, given its maps one by one."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        return self.decoder(list(maps))


def check_exports_with_any_batch(case: DecoderCase) -> None:
    """`torch.export` takes it with a free batch, on an odd grid, and the program makes the same
    maps of one image and of three."""
    decoder = _Listed(case.made())
    batch = torch.export.Dim("batch", min=1, max=64)
    maps = tuple(case.maps(2, (3, 5)))
    shapes = (tuple({0: batch} for _ in maps),)
    program = torch.export.export(decoder, maps, dynamic_shapes=shapes).module()
    for size in (1, 3):
        given = case.maps(size, (3, 5))
        with torch.no_grad():
            error = apart(program(*given), decoder(*given))
        require(error < 1e-5, f"the program's maps of {size} images differ by {error:.2g}")
