"""Several heads on one pass of the backbone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from onlay import PluginHost, adapt
from onlay.testing import task_checks, tiny_backbone


@task_checks("several")
def test_several_keeps_the_contract_of_tasks(check: Callable[[], None]) -> None:
    check()


class Detector(nn.Module):
    """As detectors are: a loss of features and targets alone, and lists for targets."""

    labels = ("box",)

    def forward(self, features: Any) -> Tensor:
        return features.patches.mean((1, 2))

    def forward_loss(self, features: Any, targets: list[Tensor]) -> Tensor:
        return self(features).sum() + sum(own.sum() for own in targets)

    @staticmethod
    def collate(items: Sequence[Any]) -> Any:
        return torch.stack([x for x, _ in items]), [target for _, target in items]


def test_a_head_may_need_features_and_targets_at_once_and_bring_a_collate() -> None:
    task = {"name": "several", "heads": {"kind": "classification", "boxes": "classification"}}
    labels = ["kind/a", "kind/b", "boxes/box", "boxes/none"]
    model = adapt(tiny_backbone(), "linear", task=task, labels=labels, host=PluginHost.discover())
    assert hasattr(model.head, "loss")
    assert not hasattr(model.head, "forward_loss")
    model.head.heads["boxes"] = Detector()
    assert not hasattr(model.head, "loss")
    items = [(torch.randn(3, 8, 8), {"kind": n, "boxes": torch.ones(n)}) for n in range(2)]
    inputs, targets = model.head.collate(items)
    assert [len(own) for own in targets["boxes"]] == [0, 1]
    features = model.eval().features(inputs)
    own, kind = model.head.heads["boxes"], model.head.heads["kind"]
    wanted = own.forward_loss(features, targets["boxes"])
    wanted = wanted + kind.loss(kind(features), targets["kind"])
    assert torch.allclose(model.loss((inputs, targets)), wanted)
