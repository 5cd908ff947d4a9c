"""Point-MAE's decoder for part segmentation (Pang et al. 2022), after PointNet++.

Its convolutions are one point wide, so they are linear layers on rows.

Shapes: B batch, N points, E further columns of points, G groups, J joined levels of groups, W
description of a whole cloud.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay_pointcloud.network.row_norm import RowNorm
from onlay_pointcloud.ops.neighbours import interpolate

CATEGORY_WIDTH = 64
POINT_WIDTH = 1024


class Propagation(nn.Module):
    """From groups to points: interpolated, joined with coordinates and further columns, two
    layers."""

    def __init__(self, joined: int, hidden: int, columns: int = 0) -> None:
        super().__init__()
        self.columns = RowNorm(columns) if columns else None
        self.enter, self.enter_norm = nn.Linear(3 + columns + joined, hidden), RowNorm(hidden)
        self.leave, self.leave_norm = nn.Linear(hidden, POINT_WIDTH), RowNorm(POINT_WIDTH)

    def forward(self, points_BNE: Tensor, centres_BG3: Tensor, levels_BGJ: Tensor) -> Tensor:
        """(B, N, 1024) of points (B, N, 3 + E)."""
        points_BN3, joined = points_BNE[..., :3], levels_BGJ.shape[-1]
        own = self.enter.weight.shape[1] - joined
        of_place, of_groups = self.enter.weight.split([own, joined], dim=1)
        # the layer before interpolation, which is linear too: there are fewer groups than points
        from_groups = interpolate(points_BN3, centres_BG3, F.linear(levels_BGJ, of_groups))
        x_BNC = F.linear(self._own(points_BNE), of_place, self.enter.bias) + from_groups
        return _normed(self.leave_norm, self.leave(_normed(self.enter_norm, x_BNC)))

    def _own(self, points_BNE: Tensor) -> Tensor:
        """Coordinates, and columns of any unit, normalised over a batch."""
        if self.columns is None:
            return points_BNE[..., :3]
        rows_ME = points_BNE[..., 3:].flatten(0, 1)
        columns_BNE = self.columns(rows_ME).unflatten(0, points_BNE.shape[:2])
        return torch.cat([points_BNE[..., :3], columns_BNE], dim=-1)


class Classifier(nn.Module):
    """From points, and what describes their whole cloud, to logits of parts."""

    def __init__(self, whole: int, parts: int, dropout: float) -> None:
        super().__init__()
        self.join, self.join_norm = nn.Linear(POINT_WIDTH + whole, 512), RowNorm(512)
        self.dropout = nn.Dropout(dropout)
        self.hidden, self.hidden_norm = nn.Linear(512, 256), RowNorm(256)
        self.fc = nn.Linear(256, parts)

    def forward(self, each_BNC: Tensor, whole_BW: Tensor) -> Tensor:
        """Logits (B, N, parts)."""
        whole = whole_BW.shape[-1]
        of_each, of_whole = self.join.weight.split([POINT_WIDTH, whole], dim=1)
        # the whole is the same at every point, so it is multiplied once for a cloud
        from_whole = F.linear(whole_BW, of_whole, self.join.bias).unsqueeze(1)
        x_BNC = _normed(self.join_norm, F.linear(each_BNC, of_each) + from_whole)
        return self.fc(_normed(self.hidden_norm, self.hidden(self.dropout(x_BNC))))


class CategoryCode(nn.Module):
    """A description (B, 64) of each cloud's category from weights (B, categories) of all."""

    def __init__(self, categories: int) -> None:
        super().__init__()
        self.embed = nn.Linear(categories, CATEGORY_WIDTH, bias=False)
        self.norm = nn.BatchNorm1d(CATEGORY_WIDTH)

    def forward(self, weights_BK: Tensor) -> Tensor:
        return F.leaky_relu(self.norm(self.embed(weights_BK)), 0.2)


def pooled(levels_BGJ: Tensor) -> Tensor:
    """Maximum and mean over the groups, (B, 2 J)."""
    return torch.cat([levels_BGJ.amax(1), levels_BGJ.mean(1)], dim=-1)


def pooled_prompts(prompts_BPD: Tensor, levels: int) -> Tensor:
    """Maximum and mean of each level's share of the prompts, (B, 2 J); they come newest first."""
    shares = prompts_BPD.flip(1).tensor_split(levels, dim=1)
    largest, means = [s.amax(1) for s in shares], [s.mean(1) for s in shares]
    return torch.cat([*largest, *means], dim=-1)


def _normed(norm: RowNorm, x_BNC: Tensor) -> Tensor:
    return F.relu(norm(x_BNC.flatten(0, 1)).unflatten(0, x_BNC.shape[:2]))
