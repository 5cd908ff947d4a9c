"""What the backbone learns from two views of each scene, without labels.

Shape suffixes: V views (two for each scene, one after the other), N patches, K kept patches,
D width, H targets of one patch.
"""

from __future__ import annotations

import math

import torch
from contrast import info_nce
from following import Pair
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

CELL, BINS = 4, 9


TASKS = {"described": ("describe", "sketch", "contrast", "fill"), "mae": ("fill",)}
"""What an objective asks."""


class Pretraining(nn.Module):
    """Tasks on views of which the encoder sees a random part of the patches.

    *describe*: a linear map of the class token gives the histograms of gradients of the whole
    image, hidden patches included: what a class token must gather.
    *sketch*: another linear map of it gives the image's thumbnail.
    *contrast*: class tokens of two views of one scene agree, others differ (SimCLR,
    arXiv:2002.05709).
    *fill*: a narrow decoder predicts the histograms of each hidden patch from the tokens of the
    visible ones (MaskFeat's target, arXiv:2112.09133, with MAE's decoder, arXiv:2111.06377).
    """

    def __init__(
        self, encoder: VisionTransformer, *, objective: str, keep: float, temperature: float
    ) -> None:
        super().__init__()
        width, narrow = encoder.embed_dim, 96
        self.pair, self.tasks = Pair(encoder=encoder), TASKS[objective]
        self.keep, self.temperature, self.patch = (
            keep,
            temperature,
            encoder.patch_embed.patch_size[0],
        )
        self.narrow = nn.Linear(width, narrow)
        self.hidden = nn.Parameter(torch.zeros(1, 1, narrow))
        self.place = nn.Parameter(torch.randn(1, encoder.patch_embed.num_patches, narrow) * 0.02)
        self.decode = nn.Sequential(Block(narrow, 3, qkv_bias=True), nn.LayerNorm(narrow))
        features = (self.patch // CELL) ** 2 * BINS
        self.predict = nn.Linear(narrow, features)
        if "describe" in self.tasks:
            self.project = nn.Sequential(
                nn.Linear(width, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 128)
            )
            self.describe = nn.Linear(width, encoder.patch_embed.num_patches * features)
            self.sketch = nn.Linear(width, (encoder.patch_embed.img_size[0] // CELL) ** 2)

    def forward(self, images_V3HW: Tensor) -> dict[str, Tensor]:
        """Losses of views 0, 1 of scene 0, of scene 1, ..."""
        cls_VD, kept_VKD, order_VN = self.encode(images_V3HW)
        target_VNH = gradient_histograms(images_V3HW, self.patch)
        asked = {"fill": lambda: self.fill(target_VNH, kept_VKD, order_VN)}
        if "describe" in self.tasks:
            asked |= {
                "describe": lambda: F.mse_loss(self.describe(cls_VD), target_VNH.flatten(1)),
                "sketch": lambda: F.mse_loss(self.sketch(cls_VD), thumbnails(images_V3HW)),
                "contrast": lambda: info_nce(self.project(cls_VD), self.temperature),
            }
        return {name: asked[name]() for name in self.tasks}

    def encode(self, images_V3HW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Class tokens, kept patch tokens, and the random order whose head was kept."""
        net = self.pair.student["encoder"]
        x_VND = net.patch_embed(images_V3HW) + net.pos_embed[:, 1:]
        order_VN = torch.rand(x_VND.shape[:2], device=x_VND.device).argsort(1)
        keep = order_VN[:, : round(self.keep * x_VND.shape[1]), None]
        x_VKD = x_VND.gather(1, keep.expand(-1, -1, x_VND.shape[2]))
        cls_VD = (net.cls_token + net.pos_embed[:, :1]).expand(len(x_VKD), -1, -1)
        x_VKD = net.norm(net.blocks(torch.cat([cls_VD, x_VKD], 1)))
        return x_VKD[:, 0], x_VKD[:, 1:], order_VN

    def fill(self, target_VNH: Tensor, kept_VKD: Tensor, order_VN: Tensor) -> Tensor:
        kept = kept_VKD.shape[1]
        x = self.narrow(kept_VKD)
        x = torch.cat([x, self.hidden.expand(len(x), order_VN.shape[1] - kept, -1)], 1)
        x = x + self.place.expand(len(x), -1, -1).gather(1, order_VN[..., None].expand_as(x))
        guess = self.predict(self.decode(x)[:, kept:])
        hidden = order_VN[:, kept:, None].expand(-1, -1, target_VNH.shape[2])
        return F.mse_loss(guess, target_VNH.gather(1, hidden))


def gradient_histograms(images_V3HW: Tensor, patch: int) -> Tensor:
    """Per patch, orientation histograms (9 unsigned bins) of its 4x4-pixel cells, scaled to a unit
    root mean square: (V, N, (patch / 4)^2 * 9). Taken from the image at half its size, for speed.
    """
    grey = F.avg_pool2d(images_V3HW.mean(1, keepdim=True), 2)
    padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    dx = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    dy = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    angle = torch.atan2(dy, dx).remainder(math.pi) * (BINS / math.pi)
    centres = torch.arange(BINS, device=angle.device).view(1, BINS, 1, 1)
    gap = (angle - centres).abs()
    weight = (1 - torch.minimum(gap, BINS - gap)).clamp(min=0) * torch.hypot(dx, dy)
    cells = F.avg_pool2d(weight, CELL // 2)
    patches = F.unfold(cells, patch // CELL, stride=patch // CELL).transpose(1, 2)
    return patches / (patches.pow(2).mean(2, keepdim=True) + 3e-3).sqrt()


def thumbnails(images_V3HW: Tensor) -> Tensor:
    """Grey means of cells of 4x4 pixels, scaled to mean 0 and (nearly) deviation 1: (V, cells)."""
    x_VC = F.avg_pool2d(images_V3HW.mean(1, keepdim=True), CELL).flatten(1)
    return (x_VC - x_VC.mean(1, keepdim=True)) / (x_VC.std(1, keepdim=True) + 0.05)
