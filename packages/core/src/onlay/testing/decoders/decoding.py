"""From maps to one map."""

from __future__ import annotations

import torch
from torch import Tensor

from onlay.testing.checking import require
from onlay.testing.decoders.case import GRIDS, DecoderCase
from onlay.testing.states import apart
from onlay.testing.stub_device import StubDevice, there


def check_makes_one_map_on_any_grid(case: DecoderCase) -> None:
    """On square, odd, long and single-place grids it makes one map (B, D, h, w) of finite numbers,
    where D is its attribute `width`, and h and w are those of the first map it reads, times one
    number that is always the same."""
    decoder = case.made()
    width, times = getattr(decoder, "width", None), set()
    require(type(width) is int, f"its `width` is {width!r}, no number of channels")
    for grid in GRIDS:
        with torch.no_grad():
            found = decoder(case.maps(grid=grid))
        where = f"with a finest map of {grid[0]} x {grid[1]} places"
        is_map = isinstance(found, Tensor) and found.ndim == 4
        require(is_map, f"{where} it gives {_told(found)}, no map (B, D, h, w)")
        right = found.shape[:2] == (2, width)
        require(right, f"{where} two images give {_told(found)}, and `width` is {width}")
        require(found.isfinite().all(), f"{where} the map is not finite")
        times |= {size / side for size, side in zip(found.shape[2:], grid, strict=True)}
    told = ", ".join(f"{number:g}" for number in sorted(times))
    require(len(times) == 1, f"the map has {told} times the places of the first one")


def _told(found: object) -> str:
    return str(tuple(found.shape)) if isinstance(found, Tensor) else f"a `{type(found).__name__}`"


def check_answers_each_image_alone(case: DecoderCase) -> None:
    """In evaluation an image's map is the same whatever other images are in the batch."""
    decoder, maps = case.made(), case.maps(batch=3)
    with torch.no_grad():
        together = decoder(maps)
        alone = torch.cat([decoder([x[n : n + 1] for x in maps]) for n in range(3)])
    error = apart(alone, together)
    require(error < 1e-5, f"maps in a batch and alone differ by {error:.2g}")


def check_leaves_its_maps_as_they_are(case: DecoderCase) -> None:
    """It does not write into the maps and the list that it is given: other heads read them, too."""
    decoder, maps = case.made().train(), case.maps()
    given, before = list(maps), [x.clone() for x in maps]
    with torch.no_grad():
        decoder(maps)
    require(
        len(maps) == len(given) and all(a is b for a, b in zip(maps, given, strict=True)),
        "the list of maps is another one afterwards",
    )
    same = all(torch.equal(a, b) for a, b in zip(given, before, strict=True))
    require(same, "a map holds other numbers afterwards")


def check_computes_in_bfloat16(case: DecoderCase) -> None:
    """Converted to bfloat16 it makes nearly the same map, in bfloat16, forward and backward."""
    decoder, maps = case.made(), case.maps()
    with torch.no_grad():
        expected = decoder(maps)
    halved = [x.bfloat16().requires_grad_() for x in maps]
    found = decoder.bfloat16()(halved)
    require(found.dtype == torch.bfloat16, f"the map is of {found.dtype}")
    error = apart(found.detach().float(), expected)
    require(error < 0.1, f"the map differs by {error:.2g} of its largest value")
    found.float().square().mean().backward()
    gradients = [x.grad for x in halved if x.grad is not None]
    require(all(bool(g.isfinite().all()) for g in gradients), "a gradient is not finite")


def check_stays_on_the_device_of_its_maps(case: DecoderCase) -> None:
    """On a device that is not the CPU it makes the CPU's map, and nothing on the CPU."""
    decoder, maps = case.made(), case.maps()
    with torch.no_grad():
        expected = decoder(maps)
        with StubDevice() as device:
            there(decoder)
            found = device.brought(decoder([device.moved(x) for x in maps]))
    error = apart(found, expected)
    require(error < 1e-5, f"the map differs by {error:.2g} on another device")
