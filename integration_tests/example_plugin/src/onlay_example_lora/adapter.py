"""LoRA on q, k and v (Hu et al., ICLR 2022, arXiv:2106.09685, section 4.1)."""

import torch
from torch import Tensor, nn

from onlay.anatomy import Affine, Anatomy, Placement
from onlay_example_lora.config import LoraConfig


class LowRank(nn.Module):
    """x (B, T, D) becomes alpha / r * x A^T B^T; zero at the start, for B is."""

    def __init__(self, width: int, out: int, config: LoraConfig) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(config.rank, width) / width**0.5)
        self.up = nn.Parameter(torch.zeros(out, config.rank))
        self.scale = config.alpha / config.rank

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * (x @ self.down.T @ self.up.T)

    def affine(self) -> Affine:
        return Affine(self.scale * self.up @ self.down)


def attach(place: Placement, config: LoraConfig) -> None:
    for block in place.blocks:
        source, target = block.site("attn.in"), block.site("qkv.out")
        place.branch(source, target, LowRank(source.width, target.width, config))


def count(config: LoraConfig, anatomy: Anatomy) -> int:
    ends = (block.site(site) for block in anatomy.blocks for site in ("attn.in", "qkv.out"))
    return config.rank * sum(end.width for end in ends)
