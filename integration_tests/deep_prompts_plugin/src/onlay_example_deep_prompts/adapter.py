"""Deep visual prompts (Jia et al., ECCV 2022, arXiv:2203.12119, section 3.2)."""

import torch
from torch import Tensor, nn

from onlay.anatomy import Anatomy, Placement
from onlay_example_deep_prompts.config import DeepPromptsConfig


class Prompts(nn.Module):
    """P learned tokens (1, P, D), uniform and as large as those of a patch embedding."""

    def __init__(self, prompts: int, width: int) -> None:
        super().__init__()
        bound = (3 / width) ** 0.5
        self.tokens = nn.Parameter(torch.empty(1, prompts, width).uniform_(-bound, bound))

    def forward(self) -> Tensor:
        return self.tokens


def attach(place: Placement, config: DeepPromptsConfig) -> None:
    entries = [place.site("tokens.in"), *place.blocks[:-1]]
    for entry, block in zip(entries, place.blocks, strict=True):
        prompts = Prompts(config.prompts, block.width)
        place.insert(entry, prompts, count=config.prompts, until=block)


def count(config: DeepPromptsConfig, anatomy: Anatomy) -> int:
    return config.prompts * sum(block.width for block in anatomy.blocks)
