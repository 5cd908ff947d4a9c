"""Batches that a network of timm cannot take are sentences."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch

import onlay
from onlay.errors import DataError
from onlay.model.adapted import AdaptedModel


@pytest.fixture(scope="module")
def model() -> AdaptedModel:
    shape: dict[str, Any] = {"img_size": 32, "depth": 1, "embed_dim": 24, "num_heads": 3}
    network = timm.create_model("vit_tiny_patch16_224", **shape)
    return onlay.adapt(network, "linear", num_classes=2).eval()


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (torch.zeros(32, 32, 3), r"they are \(32, 32, 3\); a single one is a batch as `x\[None\]`"),
        (torch.zeros(2, 32, 32, 3), "channels come first"),
        (torch.zeros(2, 1, 32, 32), "takes images of 3 channels, and these have 1"),
        (torch.zeros(2, 3, 16, 32), "takes images of 32 x 32 pixels, and these have 16 x 32"),
        (torch.zeros(2, 3, 32, 32, dtype=torch.uint8), "these hold `uint8`"),
        ([1, 2], r"a tensor of images \(B, C, H, W\), not a `list`"),
        (None, "not a `NoneType`"),
    ],
)
def test_a_batch_that_does_not_fit(model: AdaptedModel, images: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        model(images)


def test_sizes_that_are_not_fixed_are_multiples_of_a_patch() -> None:
    shape: dict[str, Any] = {"depth": 1, "embed_dim": 24, "num_heads": 3}
    network = timm.create_model("vit_tiny_patch16_224", dynamic_img_size=True, **shape)
    model = onlay.adapt(network, "linear", num_classes=2).eval()
    assert model(torch.zeros(1, 3, 32, 64)).shape == (1, 2)
    with pytest.raises(DataError, match="30 x 64 pixels cannot be cut into patches of 16 x 16"):
        model(torch.zeros(1, 3, 30, 64))


def test_what_fits_is_answered(model: AdaptedModel) -> None:
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(model(images.double()), model(images))
    assert model(images[:0]).shape == (0, 2)
