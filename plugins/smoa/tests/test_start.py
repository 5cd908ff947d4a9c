"""What has a gradient at the first step, what has none and why (sections 2.8 and 2.9)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

TARGETS = torch.tensor([0, 2])
BASES = pytest.mark.parametrize("base", ["adaptformer", "adapter", "dapt"])
HELD_BACK = ("router.", "experts.down.", "experts.score.", "experts.norm.", ".gamma")
"""Behind an up-projection of zeros, and a factor of what it gives."""


def gradients(model: Any, inputs: Tensor, loss: str = "task") -> dict[str, Tensor]:
    """Of everything in the adapter by name; with or without the balance loss."""
    model.zero_grad(set_to_none=False)
    if loss == "task":
        model.head.loss(model(inputs), TARGETS).backward()
    else:
        model.loss((inputs, TARGETS)).backward()
    for name, p in model.adapter.named_parameters():
        assert p.grad is not None, name
    return {name: p.grad.clone() for name, p in model.adapter.named_parameters()}


def silent(found: dict[str, Tensor]) -> set[str]:
    """Exactly zero."""
    return {name for name, gradient in found.items() if not gradient.any()}


@BASES
def test_the_task_alone_moves_neither_router_nor_down(
    base: str, vit: Any, adapt: Any, images: Tensor
) -> None:
    model = adapt(vit(), base=base, pool="cls+prompts", dropout=0.0).train()
    with torch.no_grad():
        for name, p in model.adapter.named_parameters():
            if name.endswith("score.bias"):
                p.fill_(1.0)  # else chance closes a DAPT expert altogether
    found = gradients(model, images)
    expected = {n for n in found if any(part in n for part in HELD_BACK)}
    assert silent(found) == expected
    assert {n.rsplit(".", 1)[1] for n in expected} >= {"gamma", "log_temperature", "weight"}
    optimizer = torch.optim.SGD(model.trained_parameters().values(), lr=0.1)
    optimizer.step()
    assert silent(gradients(model, images)) == set()


@BASES
def test_the_balance_loss_moves_the_router_from_the_start(
    base: str, vit: Any, adapt: Any, images: Tensor
) -> None:
    model = adapt(vit(), base=base, balance_weight=0.01).train()
    found = gradients(model, images, loss="whole")
    for name, gradient in found.items():
        if "router.query" in name or "router.embeddings" in name:
            assert gradient.abs().max() > 1e-8, name
    assert all(not g.any() for n, g in found.items() if n.endswith("experts.down.weight"))
    # the loss has its own fixed temperature
    assert all(not g.any() for n, g in found.items() if n.endswith("log_temperature"))


@pytest.mark.parametrize(("pool", "idle"), [("cls", True), ("cls+prompts", False)])
def test_nobody_but_the_head_reads_the_last_prompt(
    pool: str, idle: bool, vit: Any, adapt: Any, images: Tensor, randomize: Any
) -> None:
    model = randomize(adapt(vit(depth=3), pool=pool)).train()
    last = {f"blocks.2.block_out.inserts.0.{part}" for part in ("gamma", "beta")}
    assert silent(gradients(model, images, loss="whole")) == (last if idle else set())


def test_without_it_everything_is_used(
    vit: Any, adapt: Any, images: Tensor, randomize: Any
) -> None:
    model = randomize(adapt(vit(depth=3), last_prompt=False)).train()
    assert silent(gradients(model, images, loss="whole")) == set()


def test_a_head_of_zeros_holds_everything_back_but_the_router(
    vit: Any, adapt: Any, images: Tensor, randomize: Any
) -> None:
    model = randomize(adapt(vit())).train()
    with torch.no_grad():
        model.head.fc.weight.zero_()
    found = gradients(model, images)
    assert silent(found) == set(found)
    assert "blocks.0.mlp_out.branches.0.mixture.router.embeddings" not in silent(
        gradients(model, images, loss="whole")
    )


@BASES
def test_starts_at_zero_with_biases_at_zero(base: str, mixture: Any, tokens: Tensor) -> None:
    mixed = mixture(base, start=True)
    assert not mixed(tokens, 0).output.any()
    for name, p in mixed.experts.named_parameters():
        if name == "norm.weight":
            assert p.eq(1).all()
        elif name.endswith("bias") or name == "up.weight":
            assert not p.any(), name
        else:  # as `nn.Linear` of the sub-token's width: 1 / sqrt(4)
            assert 0.4 < p.abs().max() <= 0.5, name
