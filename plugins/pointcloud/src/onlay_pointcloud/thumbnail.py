"""A small drawing of a cloud, for reports.

Shapes: N points.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

SIDE = 100
MOST = 1024
"""Points that are drawn."""
_FROM = ((0.7071, 0.0, -0.7071), (-0.3536, 0.8660, -0.3536), (0.6124, 0.5, 0.6124))
"""Right, up and towards the eye, which looks from the side and from above; y is up."""


def thumbnail(inputs: Tensor, preprocessing: Mapping[str, Any]) -> str:
    """A cloud (N, 3 or more) as the backbone gets it, seen from the side and above: near points are
    dark. The vertical is `preprocess.rotate_axis`."""
    points_N3 = inputs[:MOST, :3].float().cpu()
    if preprocessing.get("rotate_axis") == "z":
        points_N3 = points_N3[:, [0, 2, 1]] * torch.tensor([1.0, 1.0, -1.0])
    seen_N3 = (points_N3 - points_N3.mean(0)) @ torch.tensor(_FROM).T
    reach = seen_N3[:, :2].abs().max().clamp(min=1e-9)
    across_N, up_N = ((SIDE / 2) * (1 + 0.94 * seen_N3[:, :2] / reach)).T
    depth_N = seen_N3[:, 2].argsort().argsort() / max(1, len(seen_N3) - 1)
    order = seen_N3[:, 2].argsort().tolist()
    dots = "".join(
        f'<circle cx="{across_N[n]:.1f}" cy="{SIDE - up_N[n]:.1f}" r="1"'
        f' fill="hsl(210 60% {78 - 55 * float(depth_N[n]):.0f}%)"/>'
        for n in order
    )
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}">{dots}</svg>'
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
