"""Views of drawn pictures, made for a whole batch at once on its device.

Everything is drawn from one generator, so that a step's views hang on its seed alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Look:
    """How far a view may be from the picture."""

    sides: tuple[float, float]
    """Its side as a share of the picture's."""
    light: float
    """How much contrast and brightness change."""
    tint: float
    """How much each colour's strength changes."""
    grey: float = 0.0
    """How many are without colour."""
    blur: float = 0.0
    """How many are blurred."""
    noise: float = 0.0
    """Deviation of the strongest noise; pictures are in [0, 1]."""
    inverted: float = 0.0
    """How many have their bright parts inverted."""


GENTLE = Look((0.75, 1.08), 0.3, 0.15)
WHOLE = Look((0.5, 1.05), 0.4, 0.25, grey=0.2, blur=0.4, noise=0.06, inverted=0.1)
PART = Look((0.22, 0.55), 0.4, 0.25, grey=0.2, blur=0.3, noise=0.06)


class Views:
    """Draws views (V, 3, size, size) of pictures (V, 3, S, S) in [0, 1]."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    def draw(self, pictures: Tensor, size: int, look: Look) -> Tensor:
        """The result is in [-1, 1] but for a few overexposed pixels (up to 1.5)."""
        x = self.colour(self.crop(pictures, size, look), look)
        if look.blur:
            x = self.blur(x, look.blur)
        if look.noise:
            strength = look.noise * self.uniform(x, 0, 1, 1, 1, 1) ** 2
            x = x + strength * torch.randn(x.shape, generator=self.generator, device=x.device)
        if look.inverted:
            chosen = (self.uniform(x, 0, 1, 1, 1, 1) < look.inverted) & (x > 0.5)
            x = torch.where(chosen, 1 - x, x)
        return (x * 2 - 1).clamp(-1.5, 1.5)

    def uniform(self, like: Tensor, low: float, high: float, *shape: int) -> Tensor:
        drawn = torch.rand(len(like), *shape, generator=self.generator, device=like.device)
        return low + (high - low) * drawn

    def crop(self, pictures: Tensor, size: int, look: Look) -> Tensor:
        """A window somewhere, a little turned and stretched, every second one mirrored."""
        low, high = (math.log(side) for side in look.sides)
        side, aspect = (self.uniform(pictures, a, b).exp() for a, b in ((low, high), (-0.12, 0.12)))
        turn = self.uniform(pictures, -0.12, 0.12)
        mirror = self.uniform(pictures, -1, 1).sign()
        affine = torch.zeros(len(pictures), 2, 3, device=pictures.device)
        affine[:, 0, 0], affine[:, 0, 1] = turn.cos() * side * aspect * mirror, -turn.sin() * side
        affine[:, 1, 0], affine[:, 1, 1] = turn.sin() * side * mirror, turn.cos() * side / aspect
        room = (1 - side).clamp(min=0)[:, None] + 0.05
        affine[:, :, 2] = self.uniform(pictures, -1, 1, 2) * room
        grid = F.affine_grid(affine, [len(pictures), 3, size, size], align_corners=False)
        return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)

    def colour(self, x: Tensor, look: Look) -> Tensor:
        contrast = 1 + self.uniform(x, -look.light, look.light, 1, 1, 1)
        x = x * (1 + self.uniform(x, -look.tint, look.tint, 3, 1, 1)) * contrast
        x = x + self.uniform(x, -look.light, look.light, 1, 1, 1) / 2
        grey = x.mean(1, keepdim=True)
        strength = self.uniform(x, 0.4, 1.2, 1, 1, 1)
        kept = self.uniform(x, 0, 1, 1, 1, 1) >= look.grey
        return grey + (x - grey) * strength * kept

    def blur(self, x: Tensor, share: float) -> Tensor:
        """A mean over 3 by 3 pixels, twice, mixed in by a strength of each view's own."""
        strength = self.uniform(x, 0, 1, 1, 1, 1)
        strength = strength * (self.uniform(x, 0, 1, 1, 1, 1) < share)
        for _ in range(2):
            near = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
            x = x.lerp(near, strength)
        return x
