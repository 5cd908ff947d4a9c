"""What kernels of an input's own cost: adaptive against static depthwise convolution.

    python benchmarks/convolution.py         # a minute or two; --json for the figures as JSON

Batch 16, 64 channels, 3 x 3 kernels, maps of 14 x 14 and 56 x 56; forward, and backward to map and
kernels; float32, 2 threads. The adaptive forms read and write tokens (B, H, W, d) as the adapter
does. `grouped` and `shifted` are iConFormer's own; `unfold` copies every neighbourhood. `static` is
torch's depthwise convolution of a contiguous map (B, d, H, W), `static, tokens` that of the map as
which tokens lie in memory.

Modes take turns in every round, and a ratio is the median over rounds of that within a round.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median

import torch
from step import Step, ratio, take_turns
from torch import Tensor, nn
from torch.nn import functional as F

from onlay_iconformer.convolution import grouped, shifted

BATCH, CHANNELS, KERNEL, THREADS = 16, 64, 3, 2
SIDES = (14, 56)
AIM = 1.3

Form = Callable[[Tensor, Tensor], Tensor]
"""Tokens (B, H, W, d) and kernels (B, d, k) -> tokens."""


def unfold(z_BHWd: Tensor, kernels_Bdk: Tensor) -> Tensor:
    _, H, W, d = z_BHWd.shape
    near_BnN = F.unfold(z_BHWd.permute(0, 3, 1, 2), KERNEL, padding=KERNEL // 2)
    near_BdkN = near_BnN.unflatten(1, (d, KERNEL**2))
    y_BNd = torch.einsum("bdkn,bdk->bnd", near_BdkN, kernels_Bdk)
    return y_BNd.unflatten(1, (H, W))


FORMS: Mapping[str, Form] = {"grouped": grouped, "shifted": shifted, "unfold": unfold}


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def adaptive(form: Form, side: int) -> Step:
    """Forward and backward with kernels of each input's own."""
    z_BHWd = drawn(BATCH, side, side, CHANNELS).requires_grad_()
    kernels_Bdk = drawn(BATCH, CHANNELS, KERNEL**2).requires_grad_()
    g_BHWd = drawn(BATCH, side, side, CHANNELS)
    return lambda: torch.autograd.grad(form(z_BHWd, kernels_Bdk), [z_BHWd, kernels_Bdk], g_BHWd)


def static(side: int, tokens: bool) -> Step:
    """The same with one set of kernels for all inputs."""
    convolution = nn.Conv2d(
        CHANNELS, CHANNELS, KERNEL, padding=KERNEL // 2, groups=CHANNELS, bias=False
    )
    order = torch.channels_last if tokens else torch.contiguous_format
    z_BdHW = drawn(BATCH, CHANNELS, side, side).to(memory_format=order).requires_grad_()
    g_BdHW = drawn(BATCH, CHANNELS, side, side).to(memory_format=order)
    return lambda: torch.autograd.grad(convolution(z_BdHW), [z_BdHW, convolution.weight], g_BdHW)


def agree(side: int) -> None:
    """All forms compute the same, else times mean nothing."""
    z_BHWd, kernels_Bdk = drawn(2, side, side, CHANNELS), drawn(2, CHANNELS, KERNEL**2)
    expected = grouped(z_BHWd, kernels_Bdk)
    for form in FORMS.values():
        torch.testing.assert_close(form(z_BHWd, kernels_Bdk), expected, rtol=1e-4, atol=1e-4)


def measure(side: int, rounds: int) -> dict[str, dict[str, float]]:
    agree(side)
    modes = {
        "static": partial(static, side, False),
        "static, tokens": partial(static, side, True),
        **{name: partial(adaptive, form, side) for name, form in FORMS.items()},
    }
    seconds = take_turns(modes, rounds)
    return {
        mode: {
            "wall_ms": 1e3 * median(r[mode][0] for r in seconds),
            "wall": ratio(seconds, mode, "static", 0),
            "cpu": ratio(seconds, mode, "static", 1),
            "wall_to_tokens": ratio(seconds, mode, "static, tokens", 0),
        }
        for mode in modes
    }


def show(found: dict[str, dict[str, dict[str, float]]]) -> None:
    for size, rows in found.items():
        print(f"\n{size:<16}{'ms':>9}{'to static':>11}{'CPU':>8}{'to static, tokens':>19}")
        for mode, row in rows.items():
            print(
                f"{mode:<16}{row['wall_ms']:>9.2f}{row['wall']:>11.2f}{row['cpu']:>8.2f}"
                f"{row['wall_to_tokens']:>19.2f}"
            )
        best = min(FORMS, key=lambda form: rows[form]["wall"])
        print(f"best: {best}, {rows[best]['wall']:.2f} of static (at most {AIM})")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=list(SIDES), help="of the map")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    found = {f"{side} x {side}": measure(side, arguments.rounds) for side in arguments.sides}
    print(json.dumps(found, indent=2)) if arguments.json else show(found)


if __name__ == "__main__":
    main()
