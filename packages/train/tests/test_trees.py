"""Targets and outputs that are trees, in loaders and in evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from onlay_train.evaluation import Evaluation
from onlay_train.loaders import collate_of, train_loader
from onlay_train.sampler import Plan, PositionedSampler
from onlay_train.voting import Voted, Voter


class Marked(Dataset[Any]):
    """Item n is the number n, with n marks."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        return torch.tensor([float(index)]), {"number": float(index), "marks": [0] * index}

    def votes(self, number: int) -> Marked:
        return self


class Head:
    """Sums what it is given."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float, int]] = []

    @staticmethod
    def collate(items: Sequence[Any]) -> tuple[Tensor, Any]:
        inputs = torch.stack([x for x, _ in items])
        numbers = torch.tensor([target["number"] for _, target in items])
        return inputs, (numbers, [target["marks"] for _, target in items])

    def metrics(self) -> Any:
        return SimpleNamespace(to=lambda device: self)

    def update(self, output: Any, targets: Any) -> None:
        numbers, marks = targets
        assert len(output["list"]) == len(marks) == len(numbers)
        found = zip(output["double"][0].flatten().tolist(), numbers.tolist(), marks, strict=True)
        self.seen += [(two, one, len(own)) for two, one, own in found]

    def compute(self) -> dict[str, Tensor]:
        return {"items": torch.tensor(float(len(self.seen)))}

    def loss(self, output: Any, targets: Any) -> Tensor:
        return (output["double"][0].flatten() - targets[0]).mean()


class Doubling(nn.Module):
    def forward(self, inputs: Tensor) -> Any:
        return {"double": (2 * inputs,), "list": [*inputs]}


@pytest.mark.parametrize("rank", [0, 1])
def test_what_fills_up_a_share_counts_in_no_leaf(rank: int) -> None:
    # of five items the second process has 1 and 3, and item 0 again to be as long as the first
    accelerator: Any = SimpleNamespace(
        process_index=rank, num_processes=2, device=torch.device("cpu")
    )
    head = Head()
    evaluation = Evaluation(
        Marked(), accelerator, batch_size=4, workers=0, collate=collate_of(head)
    )
    plain: Any = SimpleNamespace(head=head)
    found = evaluation(Doubling(), plain)
    numbers = [(0, 2, 4), (1, 3)][rank]
    assert head.seen == [(2 * n, n, n) for n in numbers]
    assert found["items"] == len(numbers)
    assert found["loss"] == sum(numbers) / len(numbers)


@pytest.mark.parametrize(("place", "value"), [("double", torch.nan), ("list", torch.inf)])
def test_an_output_that_is_no_number_has_no_metric(place: str, value: float) -> None:
    class Broken(Doubling):
        def forward(self, inputs: Tensor) -> Any:
            found = super().forward(inputs)
            leaf = found["list"][-1] if place == "list" else found["double"][0]
            leaf[-1] = value
            return found

    machine: Any = SimpleNamespace(process_index=0, num_processes=1, device=torch.device("cpu"))
    head = Head()
    evaluation = Evaluation(Marked(), machine, batch_size=4, workers=0, collate=collate_of(head))
    plain: Any = SimpleNamespace(head=head)
    assert isnan(evaluation(Broken(), plain)["items"])
    assert evaluation.broken
    assert evaluation(Doubling(), plain)["items"] == 10
    assert not evaluation.broken


@pytest.mark.parametrize("workers", [0, 1])
def test_a_tasks_own_collate_makes_the_training_batches(workers: int) -> None:
    sampler = PositionedSampler(Plan(size=5, batch_size=5))
    loader = train_loader(
        Marked(), sampler, workers=workers, device=torch.device("cpu"), collate=collate_of(Head())
    )
    ((inputs, (numbers, marks)),) = list(loader)
    assert numbers.tolist() == inputs.flatten().tolist() == [len(own) for own in marks]
    assert sorted(numbers.tolist()) == [0, 1, 2, 3, 4]


def test_votes_are_averaged_in_every_leaf() -> None:
    class Tree(nn.Module):
        def forward(self, views: Tensor) -> Any:
            return {"a": views, "b": (views * 10,)}

    views, target = Voted(Marked(), 3, "marked")[2]
    assert (views.shape, target["number"]) == ((3, 1), 2.0)
    output = Voter(Tree())(torch.tensor([[[1.0], [2.0], [6.0]]]))
    assert output["a"].tolist() == [[3.0]]
    assert output["b"][0].tolist() == [[30.0]]
