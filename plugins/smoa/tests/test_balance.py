"""The balance loss: its values, its gradients, and its way into the model's loss."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from onlay_smoa.mixture import RoutedAdapter, SparseMixture
from onlay_smoa.router import balance_loss

TARGETS = torch.tensor([0, 2])


def test_is_one_for_equal_logits() -> None:
    share = torch.tensor([1.0, 0, 0, 0])  # of ties the first wins
    assert balance_loss(torch.full((4, 6), 0.7), share, 0.3).item() == pytest.approx(1.0)


def test_is_one_for_even_shares() -> None:
    cosines = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    assert balance_loss(cosines, torch.full((4,), 0.25), 0.3).item() == pytest.approx(1.0)


@pytest.mark.parametrize("experts", [2, 5, 16])
def test_is_the_number_of_experts_where_one_gets_everything(experts: int) -> None:
    cosines, share = torch.full((experts, 6), -100.0), torch.zeros(experts)
    cosines[1], share[1] = 100.0, 1.0
    assert balance_loss(cosines, share, 0.3).item() == pytest.approx(experts)


def test_three_sub_tokens_and_two_experts_by_hand() -> None:
    """At odds of 3 to 1: P = (3 + 3 + 1) / 12, 5 / 12; f = 2 / 3, 1 / 3; 2 (14 + 5) / 36."""
    c = 0.3 * math.log(3)
    cosines = torch.tensor([[c, c, 0.0], [0.0, 0.0, c]])
    found = balance_loss(cosines, torch.tensor([2 / 3, 1 / 3]), 0.3)
    assert found.item() == pytest.approx(19 / 18)
    warmer = balance_loss(cosines, torch.tensor([2 / 3, 1 / 3]), 0.6).item()
    assert 1 < warmer < 19 / 18


@pytest.mark.parametrize("normalize", [True, False])
def test_value_and_gradients_against_the_loop(
    normalize: bool, mixture: Any, written: Any, tokens: Tensor
) -> None:
    """Through the router's two tensors; the learnt temperature is not its own."""
    mixed = mixture(normalize_query=normalize).train()
    balance, plain = mixed(tokens, 0).balance, written(mixed).balance(tokens)
    assert balance.item() == pytest.approx(plain.item(), rel=1e-12)
    assert abs(balance.item() - 1) > 1e-3
    trained = [mixed.router.query.weight, mixed.router.embeddings]
    ours, theirs = (torch.autograd.grad(x, trained, retain_graph=True) for x in (balance, plain))
    for one, other in zip(ours, theirs, strict=True):
        assert one.any()
        torch.testing.assert_close(one, other)
    own = [mixed.router.log_temperature, *mixed.experts.parameters()]
    assert torch.autograd.grad(balance, own, allow_unused=True) == (None,) * 5


def watched(model: Any) -> list[Tensor]:
    """The balance of every call from now on."""
    seen: list[Tensor] = []
    for module in model.modules():
        if isinstance(module, SparseMixture):
            module.register_forward_hook(lambda _, __, mixed: seen.append(mixed.balance))
    return seen


@pytest.mark.parametrize("fields", [{}, {"sharing": "none"}, {"base": "dapt"}])
def test_the_loss_is_the_heads_and_the_mean_over_blocks(
    fields: Any, vit: Any, adapt: Any, images: Tensor, randomize: Any
) -> None:
    model = randomize(adapt(vit(depth=3), dropout=0.0, balance_weight=0.25, **fields)).train()
    seen = watched(model)
    loss = model.loss((images, TARGETS))
    assert len(seen) == 3
    expected = model.head.loss(model(images), TARGETS) + 0.25 * sum(seen[:3]) / 3
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert len({round(balance.item(), 5) for balance in seen[:3]}) == 3


def test_without_weight_it_is_the_heads_loss(vit: Any, adapt: Any, images: Tensor) -> None:
    model = adapt(vit(), dropout=0.0, balance_weight=0.0).train()
    assert torch.equal(model.loss((images, TARGETS)), model.head.loss(model(images), TARGETS))


def test_not_in_evaluation(vit: Any, adapt: Any, images: Tensor) -> None:
    """Not even what a training step has left behind."""
    model = adapt(vit(), balance_weight=1.0).train()
    model(images)
    model.eval()
    output = model(images)
    assert torch.equal(model.loss_of(output, TARGETS), model.head.loss(output, TARGETS))


def test_taken_once(vit: Any, adapt: Any, images: Tensor) -> None:
    model = adapt(vit(), balance_weight=1.0).train()
    output = model(images)
    plain = model.head.loss(output, TARGETS)
    assert model.loss_of(output, TARGETS).item() > plain.item() + 0.9
    assert torch.equal(model.loss_of(output, TARGETS), plain)
    assert all(m.pending.value is None for m in model.modules() if isinstance(m, RoutedAdapter))


def test_a_copy_between_forward_and_loss(vit: Any, adapt: Any, images: Tensor) -> None:
    """The copy starts without; the original still has its own."""
    model = adapt(vit(), dropout=0.0, balance_weight=1.0).train()
    expected = model.loss((images, TARGETS))
    output = model(images)
    twin = copy.deepcopy(model)
    assert torch.equal(model.loss_of(output, TARGETS), expected)
    plain = output.detach()
    assert torch.equal(twin.loss_of(plain, TARGETS), twin.head.loss(plain, TARGETS))
    assert torch.equal(twin.loss((images, TARGETS)), expected)


def test_gradients_accumulate(vit: Any, adapt: Any, randomize: Any) -> None:
    """Two backward passes in a row give the sum of what each gives alone."""
    model = randomize(adapt(vit(), dropout=0.0, balance_weight=0.5)).train()
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    trained = list(model.trained_parameters().values())
    batches = [(images[:1], TARGETS[:1]), (images[1:], torch.tensor([1, 0, 2]))]
    single = [torch.autograd.grad(model.loss(batch), trained) for batch in batches]
    for batch in batches:
        model.loss(batch).backward()
    for parameter, one, other in zip(trained, *single, strict=True):
        torch.testing.assert_close(parameter.grad, one + other)
