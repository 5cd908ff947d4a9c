"""What heads share that answer for an input as a whole: pooled features, hidden layers if any, one
linear layer.

Shapes: B batch, C outputs, D width, N patches, P inserted tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from onlay.errors import AnatomyError, CannotFold

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.features import Features
    from onlay.tasks.config import PooledConfig


def pooled_size(config: PooledConfig, anatomy: Anatomy) -> int:
    """The width of what `config.pool` names, concatenated."""
    out = anatomy.sites.get("norm.out")
    width = out.width if out is not None else anatomy.stages[-1].width
    sizes = {"pretrained": anatomy.pooled_width or width}
    return sum(sizes.get(pool, width) for pool in config.pool.split("+"))


class PooledHead(nn.Module):
    """`fc` on the pooled features, concatenated in the order in which `pool` names them; one output
    for each of `labels`."""

    def __init__(self, config: PooledConfig, size: int, labels: Sequence[str]) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.pools = config.pool.split("+")
        self.norm: nn.Module = nn.Identity()
        if config.head_norm == "batch":
            self.norm = nn.BatchNorm1d(size, affine=False)
        self.hidden = _hidden(config, size)
        self.fc = nn.Linear(([size, *config.hidden])[-1], len(self.labels))
        if config.zero_head:
            nn.init.zeros_(self.fc.weight)
            nn.init.zeros_(self.fc.bias)

    def forward(self, features: Features) -> Tensor:
        """Outputs (B, C)."""
        pooled_BD = torch.cat([pooled(features, pool) for pool in self.pools], dim=-1)
        return self.fc(self.hidden(self.norm(pooled_BD)))

    def linear(self) -> tuple[Tensor, Tensor]:
        """Weight (C, D) and bias (C,) that give the outputs in evaluation, the norm folded in.

        Raises:
            CannotFold: the head has hidden layers.
        """
        if any(isinstance(layer, nn.Linear) for layer in self.hidden):
            raise CannotFold("the head has hidden layers (`task.hidden`) and is no linear map")
        weight_CD, bias_C = self.fc.weight.detach(), self.fc.bias.detach()
        if isinstance(self.norm, nn.BatchNorm1d):
            norm: Any = self.norm
            weight_CD = weight_CD / (norm.running_var + norm.eps).sqrt()
            bias_C = bias_C - weight_CD @ norm.running_mean
        return weight_CD, bias_C


def _hidden(config: PooledConfig, size: int) -> nn.Sequential:
    """Linear, norm, activation, dropout for each hidden layer; without any, dropout alone."""
    active = nn.GELU if config.activation == "gelu" else nn.ReLU
    layers: list[nn.Module] = []
    for width in config.hidden:
        layers.append(nn.Linear(size, width))
        if config.hidden_norm == "batch":
            layers.append(nn.BatchNorm1d(width))
        layers += [active(), nn.Dropout(config.dropout)]
        size = width
    return nn.Sequential(*(layers or [nn.Dropout(config.dropout)]))


def pooled(features: Features, pool: str) -> Tensor:
    """(B, D): `pretrained`, `cls`, `mean` or `max` of the patches, `prompts` or `prompts_max`, the
    mean or the maximum of the tokens that adapters inserted, or `tokens`, the mean of them all.

    Raises:
        AnatomyError: the features have none.
    """
    if pool == "pretrained" and features.pooled is not None:
        return features.pooled
    if pool == "cls" and features.cls is not None:
        return features.cls
    if pool == "mean":
        return features.patches.mean(1)
    if pool == "max":
        return features.patches.amax(1)
    if pool == "prompts" and features.prompts.shape[1]:
        return features.prompts.mean(1)
    if pool == "prompts_max" and features.prompts.shape[1]:
        return features.prompts.amax(1)
    if pool == "tokens":
        return _all_tokens(features).mean(1)
    raise AnatomyError(f"pool `{pool}` needs what this backbone with this method does not give out")


def _all_tokens(features: Features) -> Tensor:
    """(B, T, D): the class token if there is one, inserted tokens, patches."""
    cls = [] if features.cls is None else [features.cls[:, None]]
    return torch.cat([*cls, features.prompts, features.patches], 1)
