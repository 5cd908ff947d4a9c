"""Batch norms of a backbone under gradient checkpointing."""

from __future__ import annotations

import pytest
import torch

import onlay


@pytest.mark.parametrize("momentum", [0.1, None])
def test_statistics_move_once_where_blocks_are_computed_twice(momentum: float | None) -> None:
    """By `momentum`, and with None by the number of batches; `full` has copies of both."""
    found = []
    for again in (False, True):
        torch.manual_seed(0)
        model = onlay.adapt("small_cnn", "full", num_classes=3, verify=False).train()
        norms = [m for m in model.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = momentum
        model.set_grad_checkpointing(again)
        chance = torch.Generator().manual_seed(1)
        for _ in range(2):
            images = 3 * torch.randn(4, 3, 64, 64, generator=chance) + 1
            model.loss((images, torch.tensor([0, 1, 2, 0]))).backward()
        state = {n: t for n, t in model.trained_state().items() if "running" in n or "num_b" in n}
        found.append(state)
        assert len(state) == 3 * len(norms) > 0
        assert [norm.momentum for norm in norms] == [momentum] * len(norms)
        assert {int(t) for name, t in state.items() if "num_b" in name} == {2}
    assert all(torch.equal(found[1][name], tensor) for name, tensor in found[0].items())
