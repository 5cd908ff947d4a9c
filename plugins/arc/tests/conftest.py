"""Backbones without timm: core's tiny one, a hierarchical one, and large ones without values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import onlay
from onlay.anatomy import Block, BuiltBackbone, Stage
from onlay.features import Features, Grid
from onlay.model.adapted import AdaptedModel
from onlay.testing import TinyAnatomy, tiny_backbone

Builder = Callable[..., BuiltBackbone]
Adapt = Callable[..., AdaptedModel]


class Hierarchical(nn.Module):
    """Stages of tiny blocks; a linear map halves the number of tokens between two of them."""

    def __init__(self, stages: Sequence[nn.Module]) -> None:
        super().__init__()
        self.embed = stages[0].embed
        self.layers = nn.ModuleList(stage.blocks for stage in stages)
        widths = [stage.norm.normalized_shape[0] for stage in stages]
        self.down = nn.ModuleList(nn.Linear(2 * a, b) for a, b in pairwise(widths))
        self.norm = stages[-1].norm

    def forward(self, images: Tensor) -> Tensor:
        x = self.embed(images).flatten(2).transpose(1, 2)
        for index, blocks in enumerate(self.layers):
            for block in blocks:
                x = block(x)
            if index < len(self.down):
                x = self.down[index](x.reshape(len(x), x.shape[1] // 2, -1))
        return self.norm(x)


class HierarchicalAnatomy(TinyAnatomy):
    def encode(self, inputs: Tensor, *, inserted: int = 0, levels: Sequence[int] = ()) -> Features:
        patches = self.model(inputs)
        nothing = patches[:, :0]
        layout = Grid(1, patches.shape[1])
        return Features(None, nothing, patches, layout, patches.mean(1), inputs=inputs)


def renumbered(block: Block, index: int) -> Block:
    paths = {n: f"blocks.{index}.{n}" for n in block.sites}
    sites = {n: replace(site, path=paths[n]) for n, site in block.sites.items()}
    return replace(block, index=index, sites=sites)


@pytest.fixture(scope="session")
def hierarchical() -> Builder:
    """`hierarchical(widths, depths)`: images (B, 3, 8, 8) to tokens, with traits like Swin's."""

    def build(widths: Sequence[int] = (16, 32), depths: Sequence[int] = (1, 2)) -> BuiltBackbone:
        torch.manual_seed(0)
        shapes = enumerate(zip(widths, depths, strict=True))
        parts = [tiny_backbone(i, width=w, depth=d) for i, (w, d) in shapes]
        model = Hierarchical([part.module for part in parts])
        stages, index = [], 0
        for number, part in enumerate(parts):
            blocks = [renumbered(b, index + i) for i, b in enumerate(part.anatomy.blocks)]
            stages.append(Stage(number, widths[number], blocks))
            index += len(blocks)
        traits = frozenset({"sequence", "grid", "hierarchical"})
        anatomy = HierarchicalAnatomy(model=model, stages=stages, sites={}, provides=traits)
        return replace(parts[0], module=model, anatomy=anatomy, label="tiny_hierarchical")

    return build


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def adapt(host: onlay.PluginHost) -> Adapt:
    """`adapt(built, rank=4, ...)`: an adapted model of three classes; keywords are ARC's fields."""

    def make(built: BuiltBackbone, *, rank: int = 4, **fields: object) -> AdaptedModel:
        torch.manual_seed(0)
        config = {"name": "arc", "rank": rank, **fields}
        return onlay.adapt(built, config, num_classes=3, host=host).eval()

    return make


@pytest.fixture(scope="session")
def randomize() -> Callable[[AdaptedModel], None]:
    """Put every adapter tensor away from where it starts: s ~ N(0, 0.3), b ~ N(0, 0.05)."""

    def change(model: AdaptedModel) -> None:
        g = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for name, p in model.adapter.named_parameters():
                if not name.endswith("shared.weight"):
                    deviation = 0.3 if name.endswith("rescale") else 0.05
                    p.copy_(deviation * torch.randn(p.shape, generator=g))

    return change


KEYS = Path(__file__).parent / "data" / "arc_vit_b16.txt"
"""Names and shapes of a state dict that the authors' code saved: ViT-B/16, ten classes."""


def official_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    for line in KEYS.read_text().splitlines():
        if line.strip():
            name, shape, _ = re.fullmatch(r"(\S+) \((.*)\) (\S+)", line).groups()
            yield name, tuple(int(size) for size in shape.split(",") if size)


def smaller(name: str, shape: tuple[int, ...], sizes: dict[int, int]) -> tuple[int, ...]:
    if "rescale" in name:
        return (1, sizes[50])
    return tuple(sizes.get(size, size) for size in shape)


@pytest.fixture(scope="session")
def official() -> Callable[..., dict[str, Tensor]]:
    """`official(width=192)`: a random state dict of the authors' names, of ViT-B or narrower."""

    def make(width: int = 768, rank: int = 50, classes: int = 10) -> dict[str, Tensor]:
        g = torch.Generator().manual_seed(0)
        sizes = {768: width, 3072: 4 * width, 50: rank, 10: classes}
        state = {}
        for name, shape in official_shapes():
            normal = torch.randn(smaller(name, shape, sizes), generator=g)
            is_norm_weight = name.endswith("layer_norm.weight")
            state[name] = 1 + 0.1 * normal if is_norm_weight else 0.05 * normal
            if name.endswith("rescale"):
                state[name] *= 6
        return state

    return make
