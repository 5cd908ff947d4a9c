"""Small networks, mixtures away from their start, and the mixture written out as loops.

Shapes: B batch, T tokens, D width, h sub-tokens of a token, d their width, n = B T h, N experts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

import onlay
from onlay.model.adapted import AdaptedModel
from onlay_smoa.adapter import library
from onlay_smoa.config import SmoaConfig
from onlay_smoa.mixture import SparseMixture
from onlay_smoa.router import Router
from onlay_smoa.tally import Tally


@pytest.fixture(autouse=True)
def same_every_time() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def adapt(host: onlay.PluginHost) -> Callable[..., AdaptedModel]:
    """`adapt(built, pool="cls", experts=5, ...)`: three classes; further keywords are SMoA's."""

    def make(
        built: Any, *, pool: str = "cls", experts: int = 5, rank: int = 3, name: str = "default",
        seed: int = 0, **fields: Any,
    ) -> AdaptedModel:  # fmt: skip
        torch.manual_seed(seed)
        config = SmoaConfig(experts=experts, rank=rank, **fields)
        task = {"name": "classification", "pool": pool}
        return onlay.adapt(built, config, task=task, num_classes=3, name=name, host=host).eval()

    return make


@pytest.fixture
def mixture(randomize: Any) -> Callable[..., SparseMixture]:
    """`mixture("dapt", width=4, experts=5)`: in float64, at random values; one block."""

    def make(
        base: str = "adaptformer", *, width: int = 4, experts: int = 5, rank: int = 3,
        query_width: int = 3, dropout: float = 0.0, scale: float = 1.0, start: bool = False,
        **router: Any,
    ) -> SparseMixture:  # fmt: skip
        torch.manual_seed(0)
        config: Any = SmoaConfig(base=base, experts=experts, rank=rank, dropout=dropout)
        given = {"normalize_query": True, "temperature": 0.3, "jitter": 0.0} | router
        mixed = SparseMixture(
            Router(width, experts, query_width, **given),
            library(width, config),
            width=width,
            scale=scale,
            balance_temperature=0.3,
            tally=Tally([0], experts, "", told=True),
        )
        return mixed.double().eval() if start else randomize(mixed.double().eval())

    return make


@pytest.fixture
def tokens() -> Tensor:
    """(2, 5, 12) float64."""
    return torch.randn(2, 5, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


class Written:
    """Section by section what a mixture computes, for one sub-token at a time."""

    def __init__(self, mixture: SparseMixture) -> None:
        self.mixture, self.router = mixture, mixture.router

    def cosines(self, u_d: Tensor) -> list[Tensor]:
        q = self.router.query.weight @ u_d
        length = q.norm() if self.router.normalize_query else 1.0
        return [(q * e).sum() / e.norm() / length for e in self.router.embeddings]

    def probabilities(self, u_d: Tensor, temperature: Tensor | float) -> list[Tensor]:
        exponentials = [(c / temperature).exp() for c in self.cosines(u_d)]
        return [e / sum(exponentials) for e in exponentials]

    def gates(self, u_d: Tensor) -> list[Tensor]:
        return self.probabilities(u_d, self.router.log_temperature.exp())

    def winner(self, u_d: Tensor) -> int:
        gates = [g.item() for g in self.gates(u_d)]
        return gates.index(max(gates))

    def expert(self, i: int, u_d: Tensor) -> Tensor:
        x: Any = self.mixture.experts
        if not hasattr(x, "norm"):
            h = (u_d @ x.down.weight[i] + x.down.bias[i]).clamp(min=0)
            return h @ x.up.weight[i] + x.up.bias[i]
        centred = u_d - u_d.mean()
        v = centred / (centred.square().mean() + 1e-5).sqrt()
        v = v * x.norm.weight[i] + x.norm.bias[i]
        s = (v @ x.score.weight[i] + x.score.bias[i]).clamp(min=0)
        h = v @ x.down.weight[i] + x.down.bias[i]
        h = 0.5 * h * (1 + torch.erf(h / math.sqrt(2)))
        return s * (h @ x.up.weight[i] + x.up.bias[i])

    def sub_tokens(self, z_BTD: Tensor) -> Iterator[Tensor]:
        for z_TD in z_BTD:
            for z_D in z_TD:
                yield from z_D.split(self.mixture.width)

    def __call__(self, z_BTD: Tensor) -> Tensor:
        """Split, pick, adapt, gate and merge."""
        parts = []
        for u in self.sub_tokens(z_BTD):
            i = self.winner(u)
            parts.append(self.mixture.scale * self.gates(u)[i] * self.expert(i, u))
        return torch.cat(parts).view(z_BTD.shape)

    def winners(self, z_BTD: Tensor) -> list[int]:
        return [self.winner(u) for u in self.sub_tokens(z_BTD)]

    def balance(self, z_BTD: Tensor, temperature: float = 0.3) -> Tensor:
        """N * sum of f_i P_i (X-MoE, equations 8 and 9)."""
        subs, experts = list(self.sub_tokens(z_BTD)), len(self.router.embeddings)
        chosen, total = self.winners(z_BTD), torch.zeros((), dtype=z_BTD.dtype)
        rows = [self.probabilities(u, temperature) for u in subs]
        for i in range(experts):
            total = total + chosen.count(i) / len(subs) * sum(p[i] for p in rows) / len(subs)
        return experts * total


@pytest.fixture
def written() -> type[Written]:
    """`written(mixture)(tokens)`."""
    return Written
