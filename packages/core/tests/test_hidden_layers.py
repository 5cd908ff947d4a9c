"""Layers of a head in front of its last one."""

from __future__ import annotations

import pytest
import torch

from onlay.features import Features, Grid
from onlay.tasks.classification import ClassificationHead
from onlay.tasks.config import ClassificationConfig


@pytest.mark.parametrize(
    ("activation", "expected"), [("relu", [1.0, 0.0]), ("gelu", [0.841345, -0.0455])]
)
def test_hidden_layers_are_as_active_as_they_are_told(activation, expected) -> None:
    """Of 1 and of 2 - 4; the normal distribution is 0.841345 at 1 and 0.02275 at -2."""
    config = ClassificationConfig(hidden=(2,), activation=activation, pool="cls")
    model = ClassificationHead(config, 2, ("cat", "dog"))
    model.hidden[0].weight.data.copy_(torch.eye(2))
    model.hidden[0].bias.data.copy_(torch.tensor([0.0, -4.0]))
    model.fc = torch.nn.Identity()
    patches, none = torch.zeros(1, 1, 2), torch.zeros(1, 0, 2)
    found = Features(torch.tensor([[1.0, 2.0]]), none, patches, Grid(1, 1), inputs=None)
    assert model(found).tolist()[0] == pytest.approx(expected, abs=1e-5)
