"""A task whose outputs and targets are trees: a class of each patch, void where nobody knows, a
number for each patch, and marks, of which every input has its own number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

import onlay
from onlay.batches import Tree, stacked
from onlay.descriptors import Task
from onlay.features import Features
from onlay.settings import Config
from onlay.task import Prediction

VOID = 255


class TreesConfig(Config):
    """Classes and depths of patches."""

    name: Literal["trees"] = "trees"
    """This task."""


class Trees(nn.Module):
    main_metric = "accuracy"

    def __init__(self, width: int, labels: Sequence[str]) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.neck, self.fc = nn.Linear(width, width), nn.Linear(width, len(labels))
        self.depth = nn.Linear(width, 1)
        self.parts = {"neck": self.neck}

    def prepare(self, splits: Any) -> None:
        targets = splits.train[0][1]
        assert targets["mask"].ndim == 1, "one item, not a batch"

    @staticmethod
    def collate(items: Sequence[Any]) -> tuple[Tensor, Tree]:
        inputs, targets = stacked(items)
        return inputs, targets | {"count": torch.tensor([len(t["marks"]) for _, t in items])}

    def forward(self, features: Features) -> Tree:
        x_BND = self.neck(features.patches)
        logits, depths = self.fc(x_BND), self.depth(x_BND)[..., 0]
        return {"maps": (logits, depths), "peaks": [row[:1] for row in depths]}

    def loss(self, output: Tree, targets: Tree) -> Tensor:
        logits_BNC, depths_BN = output["maps"]
        known = functional.cross_entropy(
            logits_BNC.flatten(0, 1), targets["mask"].flatten(), ignore_index=VOID
        )
        off = functional.mse_loss(depths_BN.float(), targets["depth"])
        peaks = torch.cat(output["peaks"]).float()
        marks = torch.stack([own.sum() for own in targets["marks"]])
        return known + off + 0.1 * functional.mse_loss(peaks, marks)

    def metrics(self) -> nn.Module:
        return Known()

    def predict(self, output: Tree) -> list[Prediction]:
        return [self._prediction(row_NC) for row_NC in output["maps"][0].float().softmax(-1)]

    def _prediction(self, row_NC: Tensor) -> Prediction:
        order = row_NC.mean(0).sort(descending=True)
        ranked = {self.labels[i]: order.values[n].item() for n, i in enumerate(order.indices)}
        return Prediction(next(iter(ranked)), next(iter(ranked.values())), ranked)


class Known(nn.Module):
    """The share of known patches of the right class."""

    def __init__(self) -> None:
        super().__init__()
        self.reset()

    def reset(self) -> None:
        self.right = self.all = self.marks = 0

    def update(self, output: Tree, targets: Tree) -> None:
        known_BN = targets["mask"] != VOID
        self.right += int((output["maps"][0].argmax(-1) == targets["mask"])[known_BN].sum())
        self.all += int(known_BN.sum())
        self.marks += sum(len(own) for own in targets["marks"])

    def compute(self) -> dict[str, Tensor]:
        return {
            "accuracy": torch.tensor(self.right / self.all),
            "marks": torch.tensor(float(self.marks)),
        }


def build(config: TreesConfig, anatomy: Any, labels: Sequence[str]) -> Trees:
    return Trees(anatomy.stages[-1].width, labels)


def example(anatomy: Any, batch: int) -> tuple[Any, ...]:
    """Each input has as many marks as its place in the batch says."""
    inputs = anatomy.example(batch)
    features = anatomy.encode(inputs)
    mask = (features.patches[..., 0] > 0).long()
    mask[:, 0] = VOID
    marks = [torch.arange(n, dtype=torch.float32) for n in range(batch)]
    depth = features.patches[..., 1].detach().float()
    return ("low", "high"), inputs, {"mask": mask, "depth": depth, "marks": marks}


@onlay.hookimpl
def register_tasks() -> Any:
    here = __name__
    yield Task(
        name="trees",
        config=TreesConfig,
        build=f"{here}:build",
        summary="classes and depths of patches",
        example=f"{here}:example",
    )
