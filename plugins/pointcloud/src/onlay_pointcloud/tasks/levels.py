"""Which blocks the decoders of this package read, and what they make of their groups.

Shapes: B batch, G groups, J joined levels of groups, W description of a whole cloud.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from onlay.errors import AnatomyError, ConfigError
from onlay_pointcloud.tasks.decoder import pooled, pooled_prompts

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.features import Features
    from onlay_pointcloud.tasks.config import DecoderConfig


def levels_of(config: DecoderConfig, anatomy: Anatomy) -> tuple[int, ...]:
    """The blocks that `task.levels` names, by default the last one of each third.

    Raises:
        ConfigError: a level that the backbone does not have.
    """
    depth = len(anatomy.blocks)
    levels = config.levels or thirds(depth)
    if max(levels) >= depth:
        raise ConfigError(
            f"`task.levels` asks for block {max(levels)}, and the backbone has 0 to {depth - 1}"
        )
    return levels


def thirds(depth: int) -> tuple[int, ...]:
    """The last block of each third: 3, 7, 11 of 12; fewer where there are fewer than three."""
    return tuple(sorted({-(-depth * third // 3) - 1 for third in (1, 2, 3)}))


def joined(features: Features) -> Tensor:
    """The groups of all levels side by side, (B, G, J)."""
    return torch.cat([*features.levels], 1).transpose(1, 2)


def described(config: DecoderConfig, features: Features, levels_BGJ: Tensor) -> Tensor:
    """What tells of each cloud as a whole, (B, 2 J): `task.global_features`.

    Raises:
        AnatomyError: fewer inserted tokens than levels.
    """
    if config.global_features == "pool":
        return pooled(levels_BGJ)
    count, levels = features.prompts.shape[1], len(features.levels)
    if count < levels:
        raise AnatomyError(
            f"`task.global_features: prompts` needs at least {levels} inserted"
            f" tokens, one for each level, and the method inserts {count}"
        )
    return pooled_prompts(features.prompts, levels)
