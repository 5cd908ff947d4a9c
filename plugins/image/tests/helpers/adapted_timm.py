"""Methods that the tests make up for timm's models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import onlay
from onlay.host import PluginHost
from onlay.model.adapted import AdaptedModel

Make = Callable[..., nn.Module]

METHODS = '''
"""A low-rank branch into q, k, v, and prompts after every block: what LoRA and deep prompts do;
and at parts of sites what LoRA and IA3 do."""

from typing import Literal

import torch
from torch import nn

from onlay import hookimpl
from onlay.anatomy import Affine
from onlay.settings import Config
from onlay.descriptors import Method


class LowRankConfig(Config):
    name: Literal["low_rank"] = "low_rank"
    last_blocks: int = 99


class PartsConfig(Config):
    name: Literal["in_parts"] = "in_parts"


class PromptsConfig(Config):
    name: Literal["prompts"] = "prompts"


class LowRank(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        self.down = nn.Parameter(0.2 * torch.randn(2, width))
        self.up = nn.Parameter(0.2 * torch.randn(out, 2))

    def forward(self, x):
        return x @ self.down.T @ self.up.T

    def affine(self):
        return Affine(self.up @ self.down)


class Scale(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = nn.Parameter(scale + torch.rand_like(scale))

    def forward(self, x):
        return x * self.scale


class Prompts(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(2, width))

    def forward(self):
        return self.tokens


def low_rank(place, config):
    for block in place.blocks[-config.last_blocks:]:
        source, target = block.site("attn.in"), block.site("qkv.out")
        place.branch(source, target, LowRank(source.width, target.width))


def in_parts(place, config):
    for block in place.blocks:
        for part in (block.site("qkv.out.q"), block.site("qkv.out.v")):
            place.branch(block.site("attn.in"), part, LowRank(block.width, part.width))
        for site in (block.site("qkv.out.k"), block.site("fc2.in")):
            place.rewrite(site, Scale(torch.ones(site.width)))
    pixels = place.site("input")
    place.rewrite(pixels, Scale(pixels.spread(torch.ones(pixels.width))))


def prompts(place, config):
    for block in place.blocks[:-1]:
        place.insert(block, Prompts(block.width), count=2)


@hookimpl
def register_methods():
    here = "METHODS"
    yield Method(name="low_rank", config=LowRankConfig, attach=f"{here}:low_rank", summary="")
    yield Method(name="in_parts", config=PartsConfig, attach=f"{here}:in_parts", summary="")
    yield Method(name="prompts", config=PromptsConfig, attach=f"{here}:prompts", summary="",
                 needs=frozenset({"insertion"}))
'''


def adapted(model: Any, method: Any, host: PluginHost) -> AdaptedModel:
    torch.manual_seed(5)
    return onlay.adapt(model, method, num_classes=4, host=host).eval()
