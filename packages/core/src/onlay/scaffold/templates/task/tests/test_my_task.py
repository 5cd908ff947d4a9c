"""Loss, answers and metrics of the head, on numbers worked out by hand."""

from math import log

import pytest
import torch

from onlay_my_task import config
from onlay_my_task.head import Head

THREE = log(3)  # the logit of 3/4; -THREE is that of 1/4


@pytest.fixture
def head() -> Head:
    return Head(config.MyTaskConfig(), 8, ["cat", "dog"])


def test_the_loss_is_binary_cross_entropy(head: Head) -> None:
    output = torch.tensor([[THREE, -THREE]])
    right, wrong = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert head.loss(output, right).item() == pytest.approx(-log(3 / 4))
    assert head.loss(output, wrong).item() == pytest.approx(-log(1 / 4))


def test_a_class_index_is_an_input_with_one_class(head: Head) -> None:
    output = torch.tensor([[0.3, -2.0]])
    many = head.loss(output, torch.tensor([[0.0, 1.0]]))
    assert head.loss(output, torch.tensor([1])) == many


def test_every_class_has_a_probability_of_its_own(head: Head) -> None:
    (answer,) = head.predict(torch.tensor([[-THREE, THREE]]))
    assert answer.label == "dog"
    assert answer.probabilities == pytest.approx({"dog": 0.75, "cat": 0.25})


def test_metrics_take_logits(head: Head) -> None:
    """Class 0: one found, one missed; class 1: one found. F1 2/3 and 1."""
    metrics = head.metrics()
    output = torch.tensor([[0.1, -1.0], [-0.1, 0.2]])
    metrics.update(output, torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
    found = {name: float(value) for name, value in metrics.compute().items()}
    assert found == pytest.approx({"mean_f1": 5 / 6, "exact_match": 0.5})
