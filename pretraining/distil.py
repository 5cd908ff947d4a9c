"""Self-distillation: what a network's own average says of one view, told from another.

Shapes: B things, V = 2 B whole views (two of each thing, one after the other), L parts of a thing,
N patches, H hidden ones of a view, D width, P prototypes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from following import Pair
from torch import Tensor, nn
from torch.nn import functional as F

Encode = Callable[[nn.Module, Any, Tensor | None, Tensor | None], Tensor]
"""Encoder, views, the token of what is hidden (D,) and where it stands (V, N) -> tokens
(V, 1 + N, D), the class token in front."""
WARM, COLD = 0.1, 0.06
"""Temperatures of the student and of the teacher's balanced assignments."""


class Distillation(nn.Module):
    """DINO (arXiv:2104.14294) with its small views, and iBOT (arXiv:2111.07832) where some is
    hidden.

    *agree*: the student's class token of a whole view or of a part gives the prototypes to which
    the teacher assigns the thing's other whole view.
    *restore*: from a view of which a share of the patches is hidden, the student gives at those
    places what the teacher, who sees all, assigns to them.

    The teacher's assignments are balanced over the batch (Sinkhorn-Knopp, as in SwAV,
    arXiv:2006.09882), which needs no running centre and cannot collapse, however short the run.
    """

    def __init__(
        self, encoder: nn.Module, encode: Encode, *, width: int, prototypes: int, hidden: float
    ) -> None:
        super().__init__()
        self.pair = Pair(encoder=encoder, head=Head(width, prototypes))
        self.encode, self.share = encode, hidden
        self.unknown = nn.Parameter(torch.zeros(width)) if hidden else None

    def forward(self, views: tuple[Any, Any]) -> dict[str, Tensor]:
        """Losses of whole views 0, 1 of thing 0, of thing 1, ..., and of L parts of each."""
        whole, part = views
        with torch.no_grad():
            told_VTD = self.run("teacher", whole)
            target_VP = balanced(self.score("teacher", told_VTD[:, 0]))
        where = self.hide(*told_VTD[:, 1:].shape[:2], told_VTD.device) if self.share else None
        seen_VTD = self.run("student", whole, where)
        whole_VP = self.score("student", seen_VTD[:, 0])
        part_P = self.score("student", self.run("student", part)[:, 0])
        losses = {"agree": agreement(whole_VP, part_P, target_VP)}
        if where is not None:
            losses["restore"] = self.restore(seen_VTD[::2, 1:], told_VTD[::2, 1:], where[::2])
        return losses

    def run(self, who: str, views: Any, where_VN: Tensor | None = None) -> Tensor:
        unknown = None if where_VN is None else self.unknown
        return self.encode(getattr(self.pair, who)["encoder"], views, unknown, where_VN)

    def score(self, who: str, tokens: Tensor) -> Tensor:
        return getattr(self.pair, who)["head"](tokens).float()

    def hide(self, views: int, patches: int, device: torch.device) -> Tensor:
        """Equally many in every first view of a thing, none in the second."""
        count = max(round(self.share * patches), 1)
        order_BN = torch.rand(views // 2, patches, device=device).argsort(1)
        first_BN = torch.zeros_like(order_BN).scatter(1, order_BN[:, :count], 1)
        return torch.stack([first_BN, torch.zeros_like(first_BN)], 1).flatten(0, 1).bool()

    def restore(self, seen_BND: Tensor, told_BND: Tensor, where_BN: Tensor) -> Tensor:
        count = max(round(self.share * where_BN.shape[1]), 1)
        place = where_BN.int().argsort(dim=1, descending=True, stable=True)[:, :count, None]
        seen, told = (x.gather(1, place.expand(-1, -1, x.shape[2])) for x in (seen_BND, told_BND))
        with torch.no_grad():
            target = balanced(self.score("teacher", told.flatten(0, 1)))
        return cross_entropy(self.score("student", seen.flatten(0, 1)), target).mean()


class Head(nn.Module):
    """Tokens (..., D) to cosines with prototypes (..., P)."""

    def __init__(self, width: int, prototypes: int) -> None:
        super().__init__()
        self.bend = nn.Sequential(nn.Linear(width, 512), nn.GELU(), nn.Linear(512, 128))
        self.prototypes = nn.Parameter(torch.randn(prototypes, 128))

    def forward(self, tokens: Tensor) -> Tensor:
        return F.linear(F.normalize(self.bend(tokens), dim=-1), F.normalize(self.prototypes, dim=1))


def agreement(whole_VP: Tensor, part_MP: Tensor, target_VP: Tensor) -> Tensor:
    """Mean cross-entropy over all pairs of different views: each whole one against the other one's
    target, each part against both."""
    other_VP = target_VP.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
    parts = len(part_MP) * 2 // len(whole_VP)
    both_MP = target_VP.unflatten(0, (-1, 2)).mean(1).repeat_interleave(parts, 0)
    whole, part = cross_entropy(whole_VP, other_VP), cross_entropy(part_MP, both_MP)
    return (whole.sum() + 2 * part.sum()) / (len(whole) + 2 * len(part))


def cross_entropy(score: Tensor, target: Tensor) -> Tensor:
    return -(target * (score / WARM).log_softmax(-1)).sum(-1)


@torch.no_grad()
def balanced(score_MP: Tensor, rounds: int = 3) -> Tensor:
    """Assignments (M, P) whose rows sum to 1 and whose columns are as equal as three rounds make
    them."""
    mass_MP = torch.exp((score_MP - score_MP.max()) / COLD)
    for _ in range(rounds):
        mass_MP = mass_MP / mass_MP.sum(0, keepdim=True).clamp(min=1e-12)
        mass_MP = mass_MP / mass_MP.sum(1, keepdim=True).clamp(min=1e-12)
    return mass_MP
