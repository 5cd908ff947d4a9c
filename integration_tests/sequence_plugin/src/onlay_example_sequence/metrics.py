"""How high the true item stands among all items.

Shapes: B batch, C items.
"""

import torch
from torch import Tensor
from torchmetrics import Metric


class Ranked(Metric):
    """The mean of what a rank r is worth: `mrr` 1 / r; `hr` 1 up to k; `ndcg` 1 / log2(1 + r) up to
    k. Items of the same score stand above the true one, so a head that says nothing gets nothing.

    >>> ndcg = Ranked("ndcg", 2)
    >>> ndcg.update(torch.tensor([[3.0, 2.0, 1.0]] * 2), torch.tensor([1, 2]))  # ranks 2 and 3
    >>> ndcg.compute()
    tensor(0.3155)
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    plot_lower_bound, plot_upper_bound = 0.0, 1.0
    total: Tensor
    count: Tensor

    def __init__(self, kind: str, k: int | None = None) -> None:
        super().__init__()
        self.kind, self.k = kind, k
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, scores_BC: Tensor, targets_B: Tensor) -> None:
        own_B1 = scores_BC.gather(1, targets_B.unsqueeze(1))
        rank_B = (scores_BC >= own_B1).sum(1).float()
        worth_B = {"mrr": 1 / rank_B, "ndcg": 1 / (1 + rank_B).log2()}.get(
            self.kind, torch.ones_like(rank_B)
        )
        self.total += (worth_B * (rank_B <= self.k if self.k else 1)).sum()
        self.count += len(targets_B)

    def compute(self) -> Tensor:
        return self.total / self.count
