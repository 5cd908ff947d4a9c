"""What sensors do to shapes, for a whole batch at once.

Shapes: V views, N points of a shape, P points of a cloud. Every effect meets some of the views
only, each with its own strength.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

CELLS = 20
"""Cells along a side of the raster in which nearer points hide farther ones."""


class Sensor:
    """Draws clouds (V, P, 3) from shapes (V, N, 3); both are centred, in the unit sphere."""

    def __init__(self, points: int, generator: Generator) -> None:
        self.points, self.generator = points, generator

    def observe(self, shapes_VN3: Tensor) -> Tensor:
        turned = self.turn(shapes_VN3, self.uniform(shapes_VN3, -0.3, 0.3))
        weight_VN = self.hide(turned) * self.fade(turned) * self.drop(turned)
        chosen_VP = self.repeat(weight_VN + 1e-6)
        cloud = turned.gather(1, chosen_VP[..., None].expand(-1, -1, 3))
        cloud = cloud * self.uniform(cloud, 0.85, 1.18, 3)[:, None]
        noise = torch.exp(self.uniform(cloud, math.log(0.002), math.log(0.07)))
        cloud = cloud + noise[:, None, None] * self.normal(cloud)
        return normalise(self.clutter(self.smear(cloud)))

    def uniform(self, like: Tensor, low: float, high: float, *shape: int) -> Tensor:
        drawn = torch.rand(len(like), *shape, generator=self.generator, device=like.device)
        return low + (high - low) * drawn

    def normal(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self.generator, device=like.device)

    def direction(self, like: Tensor) -> Tensor:
        """Unit vectors (V, 3), most of them nearly level."""
        angle = self.uniform(like, -math.pi, math.pi)
        height = self.uniform(like, -1, 1) ** 3
        level = (1 - height**2).sqrt()
        return torch.stack([level * angle.cos(), level * angle.sin(), height], 1)

    @staticmethod
    def turn(shapes_VN3: Tensor, angle_V: Tensor) -> Tensor:
        """About the vertical axis."""
        x, y, z = shapes_VN3.unbind(-1)
        cos, sin = angle_V.cos()[:, None], angle_V.sin()[:, None]
        return torch.stack([x * cos - y * sin, x * sin + y * cos, z], -1)

    def hide(self, shapes_VN3: Tensor) -> Tensor:
        """1 for points that a camera sees, 0 for those behind nearer ones; half of the views."""
        view = self.direction(shapes_VN3)
        beside = torch.stack([-view[:, 1], view[:, 0], torch.zeros_like(view[:, 0])], 1)
        beside = beside / beside.norm(dim=1, keepdim=True).clamp(min=1e-3)
        frame = torch.stack([beside, torch.linalg.cross(view, beside), view], 2)
        across, up, depth = (shapes_VN3 @ frame).unbind(-1)
        column, row = (((a + 1) * (CELLS / 2)).long().clamp(0, CELLS - 1) for a in (across, up))
        cell = row * CELLS + column
        nearest = torch.full((len(depth), CELLS**2), torch.inf, device=depth.device)
        nearest = nearest.scatter_reduce(1, cell, depth, "amin")
        seen = depth < nearest.gather(1, cell) + 0.12
        return (seen | (self.uniform(depth, 0, 1, 1) < 0.5)).float()

    def fade(self, shapes_VN3: Tensor) -> Tensor:
        """Density that falls off along a random direction."""
        slope = self.uniform(shapes_VN3, 0, 3)[:, None]
        along = (shapes_VN3 @ self.direction(shapes_VN3)[..., None]).squeeze(-1)
        return torch.exp(slope * along)

    def drop(self, shapes_VN3: Tensor) -> Tensor:
        """0 in up to three balls, 1 elsewhere."""
        weight = torch.ones(shapes_VN3.shape[:2], device=shapes_VN3.device)
        size = shapes_VN3.shape[1]
        for _ in range(3):
            middle = (self.uniform(shapes_VN3, 0, 1) * size).long()
            centre = shapes_VN3[torch.arange(len(middle), device=middle.device), middle]
            radius = self.uniform(shapes_VN3, -0.4, 0.35)[:, None]
            weight = weight * ((shapes_VN3 - centre[:, None]).norm(dim=2) > radius)
        return weight

    def repeat(self, weight_VN: Tensor) -> Tensor:
        """Indices (V, P) by weight; sparse clouds are filled up with copies of their points."""
        drawn = torch.multinomial(weight_VN, self.points, True, generator=self.generator)
        share = torch.exp(self.uniform(drawn, math.log(0.12), 0.7)).clamp(max=1)
        kept = (share * self.points).long()[:, None]
        place = (self.uniform(drawn, 0, 1, self.points) * kept).long()
        order = torch.arange(self.points, device=drawn.device).expand_as(place)
        return drawn.gather(1, torch.where(order < kept, order, place))

    def smear(self, cloud_VP3: Tensor) -> Tensor:
        """Side lobes: some points keep their range from the sensor and lose their angle."""
        sensor = self.direction(cloud_VP3) * self.uniform(cloud_VP3, 1.2, 4, 1)
        away = cloud_VP3 - sensor[:, None]
        wide = self.uniform(cloud_VP3, 0.02, 0.45, 1, 1) * self.normal(cloud_VP3)
        lost = away / away.norm(dim=2, keepdim=True) + wide * self.normal(cloud_VP3[..., :1]).abs()
        lost = lost / lost.norm(dim=2, keepdim=True) * away.norm(dim=2, keepdim=True)
        share = self.uniform(cloud_VP3, -0.5, 0.3, 1)
        met = self.uniform(cloud_VP3, 0, 1, cloud_VP3.shape[1]) < share
        return torch.where(met[..., None], lost + sensor[:, None], cloud_VP3)

    def clutter(self, cloud_VP3: Tensor) -> Tensor:
        """Clumps and single points around the shape take the place of some of its points."""
        count, room = 8, self.uniform(cloud_VP3, 0.4, 1.0, 1, 1)
        middle = room * self.normal(cloud_VP3[:, :count])
        spread = torch.exp(self.uniform(cloud_VP3, math.log(0.01), math.log(0.3), count, 3))
        amount = self.uniform(cloud_VP3, 0, 1, count) ** 3 + 1e-4
        which = torch.multinomial(amount, self.points, True, generator=self.generator)
        which = which[..., None].expand(-1, -1, 3)
        clumps = middle.gather(1, which) + spread.gather(1, which) * self.normal(cloud_VP3)
        chance = self.uniform(cloud_VP3, 0, 1, self.points)
        clump = chance < self.uniform(cloud_VP3, -0.6, 0.3, 1)
        single = chance > 1 - self.uniform(cloud_VP3, -0.06, 0.02, 1)
        cloud_VP3 = torch.where(clump[..., None], clumps, cloud_VP3)
        return torch.where(single[..., None], room * self.normal(cloud_VP3), cloud_VP3)


def normalise(clouds_VP3: Tensor) -> Tensor:
    """Centred, the farthest point at distance 1."""
    clouds_VP3 = clouds_VP3 - clouds_VP3.mean(1, keepdim=True)
    return clouds_VP3 / clouds_VP3.norm(dim=2).amax(1).clamp(min=1e-6)[:, None, None]
