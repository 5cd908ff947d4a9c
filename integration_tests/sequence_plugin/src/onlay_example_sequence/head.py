"""Next-item prediction: a score of every item, softmax over all of them.

Shapes: B batch, D width, C items.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from onlay.anatomy import Anatomy
from onlay.data import Splits
from onlay.features import Features
from onlay_example_sequence.answer import NextItems
from onlay_example_sequence.config import NextItemConfig


def build(config: NextItemConfig, anatomy: Anatomy, labels: Sequence[str]) -> "NextItemHead":
    """A fresh table of the items that are to be ranked."""
    return NextItemHead(anatomy.sites["norm.out"].width, labels, config)


class NextItemHead(nn.Module):
    """The end of the history against a vector of each item, which need not be one that the
    backbone knows."""

    def __init__(self, width: int, labels: Sequence[str], config: NextItemConfig) -> None:
        super().__init__()
        self.labels, self.k = tuple(labels), config.k
        self.pairs, self.decay = config.loss == "pairs", config.decay
        self.main_metric = f"ndcg{config.k}"
        self.items = nn.Parameter(torch.randn(len(self.labels), width) / width**0.5)

    def prepare(self, splits: Splits) -> None:
        """Nothing of the data is needed."""

    def forward(self, features: Features) -> Tensor:
        """Scores (B, C)."""
        assert features.pooled is not None
        return features.pooled @ self.items.T

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """Of scores (B, C) and next items (B,)."""
        scores_BC = output.float()
        if self.pairs:
            loss = functional.softplus(-_of(scores_BC, targets)).mean() + self._against(
                scores_BC, targets
            )
        else:
            loss = functional.cross_entropy(scores_BC, targets)
        return loss + self.decay * self.items.square().sum() / 2 if self.decay else loss

    def _against(self, scores_BC: Tensor, targets: Tensor) -> Tensor:
        """-log(1 - sigmoid(s)) of an item that is not the next one: one that is drawn while
        training, else the mean of all."""
        others = scores_BC.shape[1] - 1
        if self.training:
            drawn = torch.randint(others, targets.shape, device=targets.device)
            return functional.softplus(_of(scores_BC, drawn + (drawn >= targets))).mean()
        all_B = functional.softplus(scores_BC).sum(1) - functional.softplus(_of(scores_BC, targets))
        return (all_B / others).mean()

    def metrics(self) -> nn.Module:
        """`mrr`, `hr` and `ndcg`, over all items."""
        from torchmetrics import MetricCollection

        from onlay_example_sequence.metrics import Ranked

        kinds = {"mrr": None, f"hr{self.k}": self.k, self.main_metric: self.k}
        return MetricCollection(
            {name: Ranked(name.rstrip("0123456789"), k) for name, k in kinds.items()}
        )

    def predict(self, output: Tensor) -> list[NextItems]:
        """The likeliest items, `k` of them."""
        return [self._answer(row_C) for row_C in output.detach().float().softmax(-1).cpu()]

    def _answer(self, row_C: Tensor) -> NextItems:
        places = row_C.topk(min(self.k, len(row_C))).indices.tolist()
        return NextItems({self.labels[i]: float(row_C[i]) for i in places})


def _of(scores_BC: Tensor, places_B: Tensor) -> Tensor:
    """The score of one item for each input."""
    return scores_BC.gather(1, places_B.unsqueeze(1)).squeeze(1)
