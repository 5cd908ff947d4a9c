"""What a training step keeps for its backward pass, against full fine-tuning of the same network.

Bytes of unique storages that are no parameters; sampling and grouping keep nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import onlay
from onlay_dapt.scale_and_shift import ScaleAndShift

WIDTH, GROUPS = 48, 32


def kept(model: Any, batch: Any) -> int:
    tensors = [*model.parameters(), *model.buffers()]
    own = {t.untyped_storage().data_ptr() for t in tensors}
    storages: dict[int, Any] = {}  # held, so that no address comes twice

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model.loss(batch)
    return sum(storage.nbytes() for storage in storages.values())


@pytest.fixture
def step(points: Any, adapt: Any, host: Any) -> Callable[..., int]:
    """`step("dapt", depth)`: bytes that 8 clouds keep; parts of the encoder as wide as in
    proportion to the full network."""
    clouds = torch.randn(8, 64, 3, generator=torch.Generator().manual_seed(0))
    batch = clouds, torch.arange(8) % 3

    def measure(method: str, depth: int) -> int:
        built = points(
            width=WIDTH, depth=depth, heads=1, embed=WIDTH, groups=GROUPS, group_size=32,
            hidden=(16, 32, 64), drop_path=0.1,
        )  # fmt: skip
        if method == "dapt":
            return kept(adapt(built, rank=WIDTH // 6).train(), batch)
        return kept(onlay.adapt(built, method, num_classes=3, host=host).train(), batch)

    return measure


def test_less_than_full_fine_tuning(step: Any, monkeypatch: Any) -> None:
    frugal = step("dapt", 12)
    assert frugal < 0.68 * step("full", 12)
    monkeypatch.setattr(ScaleAndShift, "_trains_eagerly", lambda self: False)
    monkeypatch.setattr("onlay_dapt.frugal.trains_eagerly", lambda: False)
    assert frugal < 0.72 * step("dapt", 12)


def test_a_block_keeps_what_it_is_counted_to(step: Any) -> None:
    """In tensors of one token width: inputs of two norms 2, q k v 3, attention's output 1, GELU's
    input 4; for scale-and-shift 3 inputs, the adapter's input 1 and output 1, and twice its
    bottleneck of a sixth, besides sums and weights of a few tokens' size."""
    clouds, rank = 8, WIDTH // 6
    # the third block has three prompts more than the groups and the class token
    tensor = clouds * (1 + GROUPS + 2) * WIDTH * 4
    difference = step("dapt", 3) - step("dapt", 2)
    assert 15 < difference / tensor < 15 + 3 * rank / WIDTH + 0.6
