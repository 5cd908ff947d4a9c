"""Blocks of a scene: squares on the ground that overlap, all of the height above them.

Shapes: P points of a scene, K of a block, M = `npoints` of an item, E further columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from onlay_pointcloud.data.preprocess import normalized


@dataclass(frozen=True, kw_only=True)
class Cutting:
    """How scenes are cut."""

    block: float
    """Side of a block, in the unit of the scenes."""
    stride: float
    """From one block to the next."""
    npoints: int
    least: int
    """Points of a block at least: where there are fewer, those nearest to it are taken, too."""
    normalize: str
    up: int
    """The axis that is not cut."""

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Cutting:
        """From the facts of a bundle."""
        own = {name: facts["scenes"][name] for name in ("block", "stride", "up")}
        least = min(facts.get("min_points") or facts["npoints"], facts["npoints"])
        return cls(npoints=facts["npoints"], least=least, normalize=facts["normalize"], **own)

    def ground(self, points_P3: np.ndarray) -> np.ndarray:
        """The two coordinates (P, 2) that are cut."""
        return np.delete(points_P3[:, :3], self.up, axis=1)

    @property
    def reach(self) -> float:
        """From the middle of a block to its sides, with what rounding needs."""
        return self.block / 2 * (1 + 1e-6)

    def around(self, points_P3: np.ndarray, centre_2: np.ndarray) -> np.ndarray:
        """Indices (K,) of the points of the block about a centre."""
        one, other = (axis for axis in range(3) if axis != self.up)
        strip = np.flatnonzero(np.abs(points_P3[:, one] - centre_2[0]) <= self.reach)
        inside = strip[np.abs(points_P3[strip, other] - centre_2[1]) <= self.reach]
        if len(inside) >= min(self.least, len(points_P3)):
            return inside
        apart_P = np.abs(self.ground(points_P3) - centre_2).max(1)
        return np.sort(np.argsort(apart_P, kind="stable")[: self.least])

    def inputs(self, points_KE: np.ndarray, centre_2: np.ndarray) -> Tensor:
        """Points (K, 3 + E) with coordinates about the block's centre, normalised, float32."""
        points_KE = points_KE.astype(np.float64)
        points_KE[:, np.delete(np.arange(3), self.up)] -= centre_2
        points_KE[:, :3] = normalized(points_KE[:, :3], self.normalize)
        return torch.from_numpy(points_KE.astype(np.float32))

    def blocks(self, points_P3: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The blocks that cover the ground and have points: of each its centre, and the indices
        (K,) of its points."""
        ground_P2 = self.ground(points_P3)
        first, second = (
            self._along(*ends) for ends in zip(ground_P2.min(0), ground_P2.max(0), strict=True)
        )
        order_P = np.argsort(ground_P2[:, 0], kind="stable")
        sorted_P = ground_P2[order_P, 0].astype(np.float64)
        for one in first:
            low, high = np.searchsorted(sorted_P, [one - self.reach, one + self.reach])
            strip = np.sort(order_P[low:high])
            for other in second:
                inside = strip[np.abs(ground_P2[strip, 1] - other) <= self.reach]
                if len(inside):
                    centre_2 = np.array([one, other])
                    enough = len(inside) >= min(self.least, len(points_P3))
                    yield centre_2, inside if enough else self.around(points_P3, centre_2)

    def _along(self, low: float, high: float) -> np.ndarray:
        """Centres of blocks from one end to the other, the last one at that end."""
        if high - low <= self.block:
            return np.array([(low + high) / 2])
        steps = int(np.ceil((high - low - self.block) / self.stride - 1e-9))
        starts = low + np.minimum(np.arange(steps + 1) * self.stride, high - low - self.block)
        return starts + self.block / 2


class CutScene:
    """The items that a scene (P, 3 + E) is evaluated in: every point of every block is in one of
    them, some of the last one twice."""

    def __init__(self, points_PE: np.ndarray, cutting: Cutting) -> None:
        self.points_PE, self.cutting = points_PE, cutting
        self.last: tuple[int, Tensor] = (-1, torch.empty(0))

    @cached_property
    def blocks(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of each block its centre, and the indices (items, M) of its points, dealt by chance, the
        same every time."""
        found = self.cutting.blocks(self.points_PE)
        return [(centre, self._dealt(inside, n)) for n, (centre, inside) in enumerate(found)]

    def _dealt(self, inside_K: np.ndarray, number: int) -> np.ndarray:
        mixed_K = np.random.default_rng(number).permutation(inside_K)
        items = -(-len(mixed_K) // self.cutting.npoints)
        return np.resize(mixed_K, (items, self.cutting.npoints))

    @cached_property
    def places(self) -> list[tuple[int, int]]:
        """Of each item its block, and its number there."""
        return [(n, k) for n, (_, dealt) in enumerate(self.blocks) for k in range(len(dealt))]

    def __len__(self) -> int:
        return len(self.places)

    def item(self, index: int) -> tuple[Tensor, Tensor]:
        """Inputs (M, 3 + E), and which points (M,) of the scene they are."""
        block, number = self.places[index]
        centre, dealt = self.blocks[block]
        if self.last[0] != block:
            self.last = block, self._whole_block(centre, dealt)
        rows = self.last[1][number * dealt.shape[1] : (number + 1) * dealt.shape[1]]
        return rows.clone(), torch.from_numpy(dealt[number])

    def _whole_block(self, centre: np.ndarray, dealt: np.ndarray) -> Tensor:
        """All items of a block, one behind the other; what is twice has no part in its middle."""
        own_K, places = np.unique(dealt, return_inverse=True)
        return self.cutting.inputs(self.points_PE[own_K], centre)[places.reshape(-1)]

    def pieces(self) -> Iterator[ScenePiece]:
        """All items, for an answer about the whole scene."""
        for index in range(len(self)):
            inputs, points_M = self.item(index)
            yield ScenePiece(inputs, points_M, len(self.points_PE))


@dataclass
class ScenePiece:
    """One item of a scene of so many points, which votes for the classes of its own."""

    inputs: Tensor
    points_M: Tensor
    count: int

    def added(self, output: Tensor, total: Tensor | None) -> Tensor:
        """The votes (P, C) so far with those of logits (M, C)."""
        votes_MC = output.float().softmax(-1)
        total = votes_MC.new_zeros(self.count, votes_MC.shape[1]) if total is None else total
        return total.index_add_(0, self.points_M, votes_MC)
