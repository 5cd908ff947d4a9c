"""What a cloud remembers of the training clouds, for the prompts of Point-PEFT.

Shapes: B batch, T tokens, G groups, D width, M clouds of the bank, r that are remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.data import is_stream
from onlay.features import Layout
from onlay.figures import Figures

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.data import Splits
    from onlay_cloud_methods.config import PointPeftConfig

BATCH = 32
"""Clouds that are looked at together, once before training."""
UNKNOWN = -1e4
"""The similarity of a place in the bank that is empty."""


class CloudFeature(nn.Module):
    """One vector (B, D) of the groups in front of the first block."""

    def __init__(self, kind: str, layout: Callable[[], Layout]) -> None:
        super().__init__()
        self.kind, self.layout = kind, layout
        self.keep: list[Tensor] | None = None
        """Where what is found goes while the bank is filled."""

    def forward(self, x_BTD: Tensor) -> Tensor:
        groups = x_BTD[:, -self.layout().count :]
        found_BD = groups.amax(1) if self.kind == "max" else groups.mean(1)
        if self.keep is not None:
            self.keep.append(found_BD.detach())
        return found_BD


class Memory(nn.Module):
    """The cloud's own feature, the mean of its nearest ones in the bank by the softmax of their
    similarities, and these themselves, (B, 2 + r, D). Nothing here is trained.

    An empty place of the bank stands for the cloud's own feature.
    """

    bank: Tensor

    def __init__(
        self, width: int, config: PointPeftConfig, feature: CloudFeature, anatomy: Anatomy
    ) -> None:
        super().__init__()
        self.register_buffer("bank", torch.zeros(config.bank, width))
        self.remembered, self.temperature = config.remembered, config.temperature
        self.ask: tuple[CloudFeature, Anatomy] = (feature, anatomy)  # no children of this one

    def forward(self, own_BD: Tensor) -> Tensor:
        bank_MD = self.bank.to(own_BD.dtype)
        known_M = bank_MD.any(-1)
        alike_BM = F.normalize(own_BD, dim=-1) @ F.normalize(bank_MD, dim=-1).mT
        nearest = alike_BM.masked_fill(~known_M, UNKNOWN).topk(self.remembered)
        found_BrD = torch.where(
            known_M[nearest.indices][..., None], bank_MD[nearest.indices], own_BD[:, None]
        )
        share_Br = (nearest.values / self.temperature).softmax(-1)
        mean_B1D = share_Br[:, None] @ found_BrD
        return torch.cat([own_BD[:, None], mean_B1D, found_BrD], 1)

    @torch.no_grad()
    def prepare(self, splits: Splits) -> None:
        """Fill the bank from the training part, as its items come."""
        feature, anatomy = self.ask
        modes = {module: module.training for module in anatomy.model.modules()}
        anatomy.model.eval()
        feature.keep = []
        try:
            for clouds in batches(splits.train, len(self.bank)):
                anatomy.encode(anatomy.prepared(clouds.to(self.bank.device)))
            found = torch.cat(feature.keep)
        finally:
            feature.keep = None
            for module, mode in modes.items():
                module.training = mode
        self.bank.zero_()
        self.bank[: len(found)] = found.to(self.bank)

    def figures(self) -> Figures:
        """`point_peft/memory`: how many training clouds are kept."""
        kept = int(self.bank.any(-1).sum())
        empty = (
            "the memory of `point_peft` is empty, and every cloud remembers itself alone; call"
            " `model.prepare(splits)` before training",
        )
        return Figures({"point_peft/memory": kept}, warnings=() if kept else empty)


def batches(part: Any, most: int) -> Iterator[Tensor]:
    """Clouds (B, N, 3) of at most so many items, at even steps; of a stream the first ones."""
    if is_stream(part):
        items = islice(iter(part), most)
    else:
        count = min(len(part), most)
        items = (part[i * len(part) // count] for i in range(count))
    while chosen := [item[0] for item in islice(items, BATCH)]:
        yield torch.stack(chosen)
