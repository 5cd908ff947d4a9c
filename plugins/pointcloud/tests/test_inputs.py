"""Batches that are no clouds are sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import onlay
from onlay.errors import DataError


@pytest.mark.parametrize(
    ("clouds", "sentence"),
    [
        (torch.zeros(1024, 3), r"they are \(1024, 3\); a single one is a batch as `x\[None\]`"),
        (torch.zeros(2, 1024, 2), r"this is \(2, 1024, 2\)"),
        (torch.zeros(0, 1024, 3), r"this is \(0, 1024, 3\)"),
        (np.zeros((2, 1024, 3)), "not a `ndarray`"),
    ],
)
def test_a_batch_that_is_none(clouds: Any, sentence: str) -> None:
    model = onlay.adapt("onlay_points", "linear", num_classes=2).eval()
    with pytest.raises(DataError, match=sentence):
        model(clouds)
