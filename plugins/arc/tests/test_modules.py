"""The adapter by itself: values by hand, the initialisation of the authors' code, dropout."""

from __future__ import annotations

from math import sqrt

import pytest
import torch

from onlay_arc.adapter import Recomposed, SharedProjection


def by_hand() -> Recomposed:
    """D = 2, r = 1: U = (1, 2)^T, s = 0.5, b = (0.1, 0.2)."""
    adapter = Recomposed(SharedProjection(2, 1), dropout=0.5, rescale_init="zeros").eval()
    with torch.no_grad():
        adapter.shared.weight.copy_(torch.tensor([[1.0], [2.0]]))
        adapter.rescale.fill_(0.5)
        adapter.bias.copy_(torch.tensor([0.1, 0.2]))
    return adapter


def test_forward_by_hand() -> None:
    # x U = 3, times s = 1.5, back up (1.5, 3), plus x, plus b
    torch.testing.assert_close(by_hand()(torch.ones(1, 1, 2)), torch.tensor([[[2.6, 4.2]]]))


def test_affine_by_hand() -> None:
    weight, shift = by_hand().affine()
    torch.testing.assert_close(weight, torch.tensor([[1.5, 1.0], [1.0, 3.0]]))
    torch.testing.assert_close(shift, torch.tensor([0.1, 0.2]))


def test_affine_is_the_forward_of_evaluation() -> None:
    torch.manual_seed(0)
    adapter = Recomposed(SharedProjection(12, 5), dropout=0.3, rescale_init="xavier").double()
    torch.nn.init.normal_(adapter.bias)
    x = torch.randn(2, 3, 4, 12, dtype=torch.float64)  # a map, as attention in Swin reads it
    weight, shift = adapter.affine()
    assert (adapter.eval()(x) - (x @ weight.T + shift)).abs().max() < 1e-14


def test_initialisation_has_the_published_bounds() -> None:
    torch.manual_seed(0)
    shared = SharedProjection(768, 50)
    bound = 0.08564  # sqrt(6 / (768 + 50))
    assert 0.99 * bound < shared.weight.abs().max() <= bound + 1e-5
    assert shared.weight.std().item() == pytest.approx(0.04945, rel=0.02)
    mlp = Recomposed(shared, dropout=0.1, rescale_init="xavier")
    assert 0.9 * 0.3430 < mlp.rescale.abs().max() <= sqrt(6 / 51)
    assert mlp.rescale.shape == (1, 50)
    attention = Recomposed(shared, dropout=0.1, rescale_init="zeros")
    assert not attention.rescale.any()
    assert not attention.bias.any()
    assert not mlp.bias.any()


def test_the_mlp_site_starts_a_tenth_away_from_its_input() -> None:
    changes = []
    for seed in range(20):
        torch.manual_seed(seed)
        adapter = Recomposed(SharedProjection(768, 50), dropout=0.1, rescale_init="xavier").eval()
        x = torch.randn(64, 768)
        changes.append(((adapter(x) - x).norm() / x.norm()).item())
    assert 0.07 < min(changes) <= max(changes) < 0.12
    assert sum(changes) / 20 == pytest.approx(0.094, abs=0.006)


def test_dropout_acts_in_the_bottleneck_and_only_while_training() -> None:
    torch.manual_seed(0)
    adapter = Recomposed(SharedProjection(16, 3), dropout=0.5, rescale_init="xavier")
    seen: list[torch.Size] = []
    adapter.dropout.register_forward_hook(lambda _, args, __: seen.append(args[0].shape))
    x = torch.randn(2, 7, 16)
    trained, evaluated = adapter.train()(x), adapter.eval()(x)
    assert seen == [(2, 7, 3)] * 2
    assert torch.equal(adapter(x), evaluated)
    difference = (trained - evaluated).flatten(0, 1).T
    assert difference.norm() > 0.1
    basis = torch.linalg.qr(adapter.shared.weight.detach()).Q
    outside = difference - basis @ (basis.T @ difference)  # no mask of width D could stay inside
    assert outside.norm() < 1e-5


def test_a_shared_projection_is_one_parameter() -> None:
    shared = SharedProjection(8, 2)
    adapters = torch.nn.ModuleList(
        Recomposed(shared, dropout=0, rescale_init="zeros") for _ in range(5)
    )
    assert sum(p is shared.weight for p in adapters.parameters()) == 1


def test_what_inspect_shows() -> None:
    """U one column (1, 0), s 2 and b (0, 4): (3, 4) gets (6, 4) more, the root of 52 over 5."""
    module = Recomposed(SharedProjection(2, 1), dropout=0.0, rescale_init="zeros").eval()
    with torch.no_grad():
        module.shared.weight.copy_(torch.tensor([[1.0], [0.0]]))
        module.rescale.fill_(2.0)
        module.bias.copy_(torch.tensor([0.0, 4.0]))
        x = torch.tensor([[[3.0, 4.0], [0.0, 1.0]]])
        shown = module.shows(x, module(x))
        on_a_map = module.shows(x.view(1, 1, 2, 2), module(x).view(1, 1, 2, 2))
    torch.testing.assert_close(shown, torch.tensor([[[52**0.5 / 5], [4.0]]]))
    assert torch.equal(on_a_map, shown)
