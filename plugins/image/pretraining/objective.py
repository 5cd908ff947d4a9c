"""What the backbone learns from two views of each scene: to tell scenes apart, and to fill in hidden patches.

Shape suffixes: V views (two for each scene, one after the other), N patches, K kept patches,
D width, H targets of one patch.
"""

from __future__ import annotations

import math

import torch
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

CELL, BINS = 4, 9


class Pretraining(nn.Module):
    """Contrast (SimCLR, arXiv:2002.05709) on the class token plus masked feature prediction.

    The encoder sees a random part of the patches of each view (as in MAE, arXiv:2111.06377); a narrow
    decoder predicts the histograms of gradients of the hidden ones (MaskFeat, arXiv:2112.09133).
    """

    def __init__(self, encoder: VisionTransformer, *, keep: float, temperature: float = 0.1) -> None:
        super().__init__()
        width, narrow = encoder.embed_dim, 96
        self.encoder, self.keep, self.temperature = encoder, keep, temperature
        self.project = nn.Sequential(
            nn.Linear(width, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 128)
        )
        self.narrow = nn.Linear(width, narrow)
        self.hidden = nn.Parameter(torch.zeros(1, 1, narrow))
        self.place = nn.Parameter(torch.randn(1, encoder.patch_embed.num_patches, narrow) * 0.02)
        self.decode = nn.Sequential(Block(narrow, 3, qkv_bias=True), nn.LayerNorm(narrow))
        self.predict = nn.Linear(narrow, (encoder.patch_embed.patch_size[0] // CELL) ** 2 * BINS)

    def forward(self, images_V3HW: Tensor) -> tuple[Tensor, Tensor]:  # noqa: N803
        """The contrastive and the reconstruction loss of views 0, 1 of scene 0, of scene 1, ..."""
        cls_VD, kept_VKD, order_VN = self.encode(images_V3HW)
        contrast = info_nce(self.project(cls_VD), self.temperature)
        return contrast, self.reconstruct(images_V3HW, kept_VKD, order_VN)

    def encode(self, images_V3HW: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: N803
        """Class tokens, kept patch tokens, and the random order whose head was kept."""
        net = self.encoder
        x_VND = net.patch_embed(images_V3HW) + net.pos_embed[:, 1:]
        order_VN = torch.rand(x_VND.shape[:2], device=x_VND.device).argsort(1)
        keep = order_VN[:, : round(self.keep * x_VND.shape[1]), None]
        x_VKD = x_VND.gather(1, keep.expand(-1, -1, x_VND.shape[2]))
        cls_VD = (net.cls_token + net.pos_embed[:, :1]).expand(len(x_VKD), -1, -1)
        x_VKD = net.norm(net.blocks(torch.cat([cls_VD, x_VKD], 1)))
        return x_VKD[:, 0], x_VKD[:, 1:], order_VN

    def reconstruct(self, images_V3HW: Tensor, kept_VKD: Tensor, order_VN: Tensor) -> Tensor:  # noqa: N803
        target_VNH = gradient_histograms(images_V3HW, self.encoder.patch_embed.patch_size[0])
        kept = kept_VKD.shape[1]
        x = self.narrow(kept_VKD)
        x = torch.cat([x, self.hidden.expand(len(x), order_VN.shape[1] - kept, -1)], 1)
        x = x + self.place.expand(len(x), -1, -1).gather(1, order_VN[..., None].expand_as(x))
        guess = self.predict(self.decode(x)[:, kept:])
        hidden = order_VN[:, kept:, None].expand(-1, -1, target_VNH.shape[2])
        return F.mse_loss(guess, target_VNH.gather(1, hidden))


def info_nce(z_VD: Tensor, temperature: float) -> Tensor:  # noqa: N803
    """NT-Xent (SimCLR, eq. 1) where rows 2i and 2i + 1 are two views of one scene."""
    z_VD = F.normalize(z_VD.float(), dim=1)
    similarity_VV = z_VD @ z_VD.T / temperature
    similarity_VV.fill_diagonal_(-math.inf)
    partner_V = torch.arange(len(z_VD), device=z_VD.device) ^ 1
    return F.cross_entropy(similarity_VV, partner_V)


def gradient_histograms(images_V3HW: Tensor, patch: int) -> Tensor:  # noqa: N803
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
    return patches / (patches.pow(2).mean(2, keepdim=True) + 1e-4).sqrt()


def widen(images_V3HW: Tensor, size: int, generator: torch.Generator) -> Tensor:  # noqa: N803
    """Random crops, mirror images and colours of stored views (V, 3, S, S) in [0, 1]; out in [-1, 1]."""
    count, device = len(images_V3HW), images_V3HW.device

    def draw(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator, device=device) * 2 - 1

    turn, zoom, aspect = draw() * 0.15, torch.exp(draw() * 0.22 - 0.12), torch.exp(draw() * 0.12)
    mirror = torch.where(draw() > 0, 1.0, -1.0)
    affine = torch.zeros(count, 2, 3, device=device)
    affine[:, 0, 0], affine[:, 0, 1] = turn.cos() * zoom * aspect * mirror, -turn.sin() * zoom
    affine[:, 1, 0], affine[:, 1, 1] = turn.sin() * zoom * mirror, turn.cos() * zoom / aspect
    affine[:, :, 2] = draw(2) * 0.12
    grid = F.affine_grid(affine, [count, 3, size, size], align_corners=False)
    x = F.grid_sample(images_V3HW, grid, padding_mode="reflection", align_corners=False)
    x = x * (1 + draw(3, 1, 1) * 0.15) * (1 + draw(1, 1, 1) * 0.3) + draw(1, 1, 1) * 0.15
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (0.6 + 0.6 * draw(1, 1, 1)).clamp(min=0)
    return (x * 2 - 1).clamp(-1.5, 1.5)
