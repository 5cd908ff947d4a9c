"""What the backbone learns from two views of each shape, without labels.

Shapes: V views (two of each shape, one after the other), G groups, K points of a group, S groups
that are seen, H hidden ones, D width, T = 1 + S.
"""

from __future__ import annotations

import torch
from contrast import info_nce
from following import Pair
from torch import Tensor, nn
from torch.nn import functional as F

from onlay_pointcloud.network.blocks import Block, Blocks
from onlay_pointcloud.network.point_mae import PointMae

CELLS, QUANTILES = 8, 15


TASKS = {"described": ("fill", "describe", "contrast"), "mae": ("fill",)}
"""What an objective asks."""
Groups = tuple[Tensor, Tensor]
"""Patches (V, G, K, 3) around their centres, and the centres (V, G, 3)."""


class Pretraining(nn.Module):
    """Tasks on clouds of which the encoder sees a random part of the groups.

    *fill*: masked autoencoding as in Point-MAE (Pang et al. 2022): a light decoder, told only where
    the hidden groups lie, predicts their points.
    *describe*: a linear map of the class token gives the whole cloud's occupancy on a grid and the
    quantiles of its coordinates, hidden groups included.
    *contrast*: class tokens of two views of one shape agree, others differ (SimCLR,
    arXiv:2002.05709).
    """

    def __init__(
        self, encoder: PointMae, *, objective: str, mask: float, temperature: float
    ) -> None:
        super().__init__()
        width, narrow = encoder.norm.weight.shape[0], 96
        self.pair, self.tasks = Pair(encoder=encoder), TASKS[objective]
        self.mask, self.temperature = mask, temperature
        self.narrow = nn.Linear(width, narrow)
        self.hidden = nn.Parameter(torch.randn(1, 1, narrow) * 0.02)
        self.place = nn.Sequential(nn.Linear(3, 128), nn.GELU(), nn.Linear(128, narrow))
        self.decode = Blocks(
            Block, width=narrow, depth=2, heads=3, prefix=0, drop_path=0.0, position="every_block"
        )
        self.predict = nn.Sequential(
            nn.LayerNorm(narrow), nn.Linear(narrow, encoder.group.group_size * 3)
        )
        nn.init.normal_(self.predict[1].weight, std=0.005)  # groups are small: start small
        if "describe" in self.tasks:
            self.describe = nn.Linear(width, CELLS**3 + 3 * QUANTILES)
            self.project = nn.Sequential(
                nn.Linear(width, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 128)
            )

    def forward(self, views: tuple[Tensor, Groups]) -> dict[str, Tensor]:
        """Losses of views 0, 1 of shape 0, of shape 1, ...: whole clouds and their groups."""
        points_VN3, (patches_VGK3, centres_VG3) = views
        order_VG = torch.rand(centres_VG3.shape[:2], device=centres_VG3.device).argsort(1)
        patches_VGK3, centres_VG3 = taken(patches_VGK3, order_VG), taken(centres_VG3, order_VG)
        seen = order_VG.shape[1] - round(self.mask * order_VG.shape[1])
        encoder = self.pair.student["encoder"]
        x_VTD = encoder.forward_groups(patches_VGK3[:, :seen], centres_VG3[:, :seen])
        guess_VHK3 = self.fill(x_VTD[:, 1:], centres_VG3)
        losses = {"fill": chamfer(guess_VHK3.float(), patches_VGK3[:, seen:])}
        if "describe" in self.tasks:
            cls_VD = x_VTD[:, 0]
            told_VC = self.describe(cls_VD).float()
            losses["describe"] = F.mse_loss(told_VC, description(points_VN3))
            losses["contrast"] = info_nce(self.project(cls_VD), self.temperature)
        return losses

    def fill(self, seen_VSD: Tensor, centres_VG3: Tensor) -> Tensor:
        """Points (V, H, K, 3) of the hidden groups, which stand behind the seen ones."""
        count = centres_VG3.shape[1] - seen_VSD.shape[1]
        hidden = self.hidden.expand(len(seen_VSD), count, -1)
        x = torch.cat([self.narrow(seen_VSD), hidden], 1)
        x = self.decode(x, self.place(centres_VG3))[:, seen_VSD.shape[1] :]
        return self.predict(x).unflatten(2, (-1, 3))


def taken(x: Tensor, order_VG: Tensor) -> Tensor:
    """Groups in another order, or some of them."""
    return x[torch.arange(len(x), device=x.device)[:, None], order_VG]


def chamfer(guess_VHK3: Tensor, true_VHK3: Tensor) -> Tensor:
    """Mean squared distance to the nearest point, both ways, in units of each true group's own
    mean square radius, so that dense groups count as much as sparse ones.
    """
    guess, true = guess_VHK3.flatten(0, 1), true_VHK3.flatten(0, 1)
    across = (guess[:, :, None] - true[:, None]).square().sum(-1)
    both = across.amin(1).mean(1) + across.amin(2).mean(1)
    return (both / (true.square().sum(-1).mean(1) + 2e-3)).mean()


def description(points_VN3: Tensor) -> Tensor:
    """Square roots of the shares of points in 8x8x8 cells, which are smaller around the middle, and
    15 quantiles of each coordinate, scaled to about unit size: (V, 512 + 45).
    """
    bent = points_VN3.sign() * points_VN3.abs() ** 0.6
    index = ((bent + 1) * (CELLS / 2)).long().clamp(0, CELLS - 1)
    cell = (index[..., 0] * CELLS + index[..., 1]) * CELLS + index[..., 2]
    share = torch.zeros(len(cell), CELLS**3, device=cell.device)
    share = share.scatter_add(1, cell, torch.ones_like(bent[..., 0])) / cell.shape[1]
    rank = torch.linspace(0.02, 0.98, QUANTILES, device=cell.device) * (points_VN3.shape[1] - 1)
    quantiles = points_VN3.sort(1).values[:, rank.round().long()]
    return torch.cat([(share * CELLS**3).sqrt(), 3 * quantiles.flatten(1)], 1)
