"""Token dispatch (after Zhao et al., NeurIPS 2024, arXiv:2403.11808, section 3.2)."""

import torch
from torch import Tensor, nn

from onlay.anatomy import Anatomy, Block, FrozenMap, Placement
from onlay.recompute import recomputing
from onlay_example_dispatch.config import DispatchConfig


class Router(nn.Module):
    """Returns its very input (B, T, D) and keeps which tokens pass: hard gates (B, T).

    `rates` is one for all blocks: they may differ, as only the mean of all is asked for.
    """

    shown = "passes the MLP"

    def __init__(
        self, place: Placement, block: Block, config: DispatchConfig, rates: dict[int, Tensor]
    ) -> None:
        super().__init__()
        self.score, self.layout = nn.Linear(block.width, 1), place.layout(block)
        nn.init.trunc_normal_(self.score.weight, std=0.02), nn.init.zeros_(self.score.bias)
        self.config, self.index, self.rates = config, block.index, rates

    def forward(self, x: Tensor) -> Tensor:
        logits, prefix = self.score(x)[..., 0], self.layout().prefix
        # logistic noise: in training a token passes with the probability sigmoid(logit)
        noise = torch.rand_like(logits).logit(1e-6) if self.training else 0
        soft = ((logits + noise) / 5).sigmoid()
        gates = (soft > 0.5).to(x.dtype) + (soft - soft.detach())  # hard, with a gradient
        if self.training and not recomputing():
            self.rates[self.index] = gates[:, prefix:].mean()
        self.gates = torch.cat([torch.ones_like(gates[:, :prefix]), gates[:, prefix:]], dim=1)
        return x

    def shows(self, x: Tensor, output: Tensor) -> Tensor:
        return self.gates

    def auxiliary_loss(self) -> Tensor:
        if self.index or not (self.training and self.rates):
            return torch.zeros(())
        mean = torch.stack([*self.rates.values()]).mean()
        self.rates.clear()
        return self.config.rate_weight * (mean - self.config.rate) ** 2


class Dispatched(nn.Module):
    """In the place of fc1 it takes the rows that pass, in that of fc2 it brings them back."""

    def __init__(self, map: FrozenMap, router: Router, back: bool) -> None:
        super().__init__()
        self.twin, self.router, self.back = [map.twin()], router, back  # the twin is no child

    def forward(self, x: Tensor) -> Tensor:
        gates, (layer,) = self.router.gates, self.twin
        if not self.back:
            all_rows = torch.is_grad_enabled() or torch.compiler.is_compiling()
            return layer(x if all_rows else x[gates > 0])
        self.router.gates, rows = torch.empty(0), layer(x)  # nothing is kept behind the pass
        if x.ndim == 3:
            return gates[..., None].to(rows.dtype) * rows
        out = rows.new_zeros(*gates.shape, rows.shape[-1])
        out[gates > 0] = rows
        return out


def attach(place: Placement, config: DispatchConfig) -> None:
    rates: dict[int, Tensor] = {}
    for block in place.blocks:
        router, stream = Router(place, block, config, rates), block.site("mlp.res")
        place.rewrite(stream, router)
        for site, back in (("fc1.out", False), ("mlp.out", True)):
            for map in place.maps(block.site(site)):  # two first layers in a gated MLP
                place.replace(map, Dispatched(map, router, back))
        width, inner = block.width, config.bottleneck
        down, up = nn.Linear(width, inner), nn.Linear(inner, width)
        nn.init.zeros_(up.weight), nn.init.zeros_(up.bias)
        place.branch(stream, block.site("block.out"), nn.Sequential(down, nn.ReLU(), up))


def count(config: DispatchConfig, anatomy: Anatomy) -> int:
    return sum((2 * b.width + 1) * config.bottleneck + 2 * b.width + 1 for b in anatomy.blocks)
