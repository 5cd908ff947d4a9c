"""How Adapter-X is placed on a backbone, and how many parameters that makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import nn

from onlay.anatomy import refuse_wider
from onlay.errors import ConfigError
from onlay_smoa.experts import AdaptFormerExperts, DaptExperts
from onlay_smoa.mixture import RoutedAdapter, SparseMixture
from onlay_smoa.prompt import PromptGenerator
from onlay_smoa.router import Router
from onlay_smoa.tally import Tally

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Block, Placement, Stage
    from onlay_smoa.config import SmoaConfig

SITES = {
    "adaptformer": ("mlp.in", "mlp.out"),
    "dapt": ("mlp.in", "mlp.out"),
    "adapter": ("mlp.out", "mlp.out"),
}
"""Where the mixture reads and where it adds: parallel to the MLP, or behind it."""


def attach(place: Placement, config: SmoaConfig) -> None:
    """Norm, mixture and prompt of every block; what a library serves shares one object."""
    for stage in place.stages:
        for label, blocks in libraries(stage, config, place.anatomy):
            mixture = mixture_for(blocks, config, label)
            for row, block in enumerate(blocks):
                adapt_block(place, block, mixture, row, config)
    if config.class_token:
        for thawed in (place.anatomy.class_token, place.anatomy.class_position):
            if thawed is not None:
                place.thaw(getattr(*thawed))
    if config.position != "backbone" and "position" in place.anatomy.settings:
        place.set("position", config.position)


def adapt_block(
    place: Placement, block: Block, mixture: SparseMixture, row: int, config: SmoaConfig
) -> None:
    if config.block_norm and block.mlp_norm is not None:
        place.thaw(block.mlp_norm)
    share = config.balance_weight / len(place.blocks)
    source, target = SITES[config.base]
    adapter = RoutedAdapter(mixture, row, balance_share=share)
    branch = place.branch(block.site(source), block.site(target), adapter)
    if block in prompted(config, place.anatomy):
        generator = PromptGenerator(block.width, config.prompt_activation)
        place.insert(block, generator, source=branch, count=1)


def libraries(
    stage: Stage, config: SmoaConfig, anatomy: Anatomy
) -> list[tuple[str, Sequence[Block]]]:
    """Which blocks of a stage share a library, with a label for what is logged of it."""
    if config.sharing == "none":
        return [(f"block_{block.index:02d}/", [block]) for block in stage.blocks]
    label = f"stage_{stage.index}/" if len(anatomy.stages) > 1 else ""
    return [(label, stage.blocks)]


def mixture_for(blocks: Sequence[Block], config: SmoaConfig, label: str) -> SparseMixture:
    """A library and its router for blocks of one width."""
    width = sub_width(blocks[0], config)
    refuse_wider("method.rank", config.rank, blocks[0].width)
    router = Router(
        width,
        config.experts,
        query_width(config),
        normalize_query=config.normalize_query,
        temperature=config.temperature,
        learn_temperature=config.learn_temperature,
        jitter=config.jitter,
        whole_gate=config.gate == "one",
    )
    indices = [block.index for block in blocks]
    return SparseMixture(
        router,
        library(width, config),
        width=width,
        scale=config.scale,
        balance_temperature=config.balance_temperature,
        tally=Tally(indices, config.experts, label, told=config.sharing == "stage"),
    )


def library(width: int, config: SmoaConfig) -> nn.Module:
    """The experts."""
    N, r, dropout = config.experts, config.rank, config.dropout
    if config.base == "dapt":
        return DaptExperts(N, width, r, dropout=dropout)
    return AdaptFormerExperts(N, width, r, dropout=dropout, bias=config.expert_bias)


def sub_width(block: Block, config: SmoaConfig) -> int:
    """Width d of a sub-token.

    Raises:
        ConfigError: the heads do not divide the width.
    """
    heads = config.heads or block.heads
    if block.width % heads:
        divisors = [h for h in range(1, 65) if block.width % h == 0]
        raise ConfigError(
            f"`method.heads` {heads} does not divide the backbone's width {block.width}"
            f" (these do: {', '.join(map(str, divisors))})"
        )
    return block.width // heads


def query_width(config: SmoaConfig) -> int:
    return config.query_width or max(1, config.experts // 2)


def prompted(config: SmoaConfig, anatomy: Anatomy) -> Sequence[Block]:
    """The blocks after which a prompt is inserted."""
    room = "insertion" in anatomy.provides
    wanted = room if config.prompts is None else config.prompts
    blocks = anatomy.blocks if wanted else []
    return blocks if config.last_prompt else blocks[:-1]


def count(config: SmoaConfig, anatomy: Anatomy) -> int:
    """A library N (2 d r + r + d) + d e + N e + 1 for each stage, 2 D for each block's norm and for
    each prompt generator, the class token and its position; the head not counted."""
    total = sum(2 * block.width for block in prompted(config, anatomy))
    for stage in anatomy.stages:
        for _, blocks in libraries(stage, config, anatomy):
            total += library_count(sub_width(blocks[0], config), config)
    if config.block_norm:
        norms = (b.mlp_norm for b in anatomy.blocks if b.mlp_norm is not None)
        total += sum(p.numel() for norm in norms for p in norm.parameters())
    thawed = [t for t in (anatomy.class_token, anatomy.class_position) if t is not None]
    return total + config.class_token * sum(getattr(*owner).numel() for owner in thawed)


def library_count(width: int, config: SmoaConfig) -> int:
    """Router and experts."""
    if config.base == "dapt":
        expert = DaptExperts.count(width, config.rank)
    else:
        expert = AdaptFormerExperts.count(width, config.rank, bias=config.expert_bias)
    query = query_width(config)
    temperature = config.learn_temperature
    return config.experts * expert + width * query + config.experts * query + temperature
