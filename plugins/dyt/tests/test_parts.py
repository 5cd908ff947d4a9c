"""Gates, losses, experts, counts and multiplications, by hand and by the paper's numbers."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from onlay.features import Grid
from onlay_dyt.adapter import of_block
from onlay_dyt.bottleneck import Experts
from onlay_dyt.config import DytConfig
from onlay_dyt.dispatch import Router
from onlay_dyt.macs import macs
from onlay_dyt.passing import Passing, Taught, divergence


def router(config: DytConfig, *, prefix: int = 1, tau: float = 5.0) -> Router:
    """On two patches of width 1, with the weight 1."""
    made = Router(1, 0, lambda: Grid(1, 2, prefix), Passing(config), tau)
    torch.nn.init.ones_(made.score.weight)
    return made


@pytest.mark.parametrize("tau", [1.0, 5.0])
def test_a_token_passes_with_the_probability_of_its_score(tau: float) -> None:
    torch.manual_seed(0)
    gate = router(DytConfig(), prefix=0, tau=tau).train()
    scores = torch.tensor([-2.0, 0.0, 2.0]).repeat(20_000)[:, None, None]
    gate(scores)
    rates = gate.now.gates.view(-1, 3).mean(0)
    torch.testing.assert_close(rates, torch.tensor([0.1192, 0.5, 0.8808]), rtol=0, atol=0.008)
    assert set(gate.now.gates.unique().tolist()) == {0.0, 1.0}


def test_gradients_are_those_of_the_soft_gate() -> None:
    x = torch.zeros(1, 1, 1, requires_grad=True)
    gate = router(DytConfig(), prefix=0).eval()
    gate(x)
    gate.now.gates.sum().backward()
    assert x.grad is not None
    assert x.grad.item() == 0.25
    logit = torch.zeros(1, 1, requires_grad=True)
    (logit / 5).sigmoid().sum().backward()
    assert logit.grad is not None
    assert logit.grad.item() == pytest.approx(0.05)


def test_in_evaluation_a_token_passes_above_a_half_and_the_class_token_always() -> None:
    gate = router(DytConfig()).eval()
    x = torch.tensor([[[-9.0], [0.1], [-0.1]], [[-9.0], [0.0], [3.0]]])
    assert gate(x) is x
    assert gate.now.gates.tolist() == [[1, 1, 0], [1, 0, 1]]


def test_the_loss_of_rates_is_of_the_mean_over_all_blocks() -> None:
    passing = Passing(DytConfig(rate=0.5, rate_weight=2.0)).train()
    passing.note(0, torch.tensor([[1.0, 1.0]]))
    passing.note(1, torch.tensor([[1.0, 0.0]]))
    assert passing.auxiliary_loss() == 2 * (0.75 - 0.5) ** 2 == 0.125
    assert passing.auxiliary_loss() == 0


def test_what_is_learnt_from_the_complete_network() -> None:
    teacher, student = torch.tensor([[0.0, math.log(3)]]), torch.zeros(1, 2)
    assert divergence(teacher, student).item() == pytest.approx(0.13081, abs=1e-5)
    head = SimpleNamespace(loss=lambda output, targets: output.sum(), main_metric="top1")
    taught = Taught(DytConfig())
    assert taught.views(torch.zeros(1, 3)).shape == (2, 3)
    found = taught.loss(torch.cat([student, teacher]), None, head)
    assert found.item() == pytest.approx(math.log(3) + 0.13081, abs=1e-5)


def test_weights_of_experts_are_mixed_and_not_their_outputs() -> None:
    mixture = Experts(1, DytConfig(bottleneck=1, experts=2, scale=1.0)).eval()
    with torch.no_grad():
        mixture.router.weight.zero_()
        mixture.down.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1))
        mixture.up.fill_(1.0)
    assert mixture(torch.tensor([[[2.0]]])).item() == 0  # of outputs it would be 1


def test_each_input_gets_a_mixture_of_its_own() -> None:
    torch.manual_seed(0)
    mixture = Experts(4, DytConfig(bottleneck=3, experts=2)).eval()
    torch.nn.init.normal_(mixture.up)
    x = torch.randn(3, 5, 4)
    alone = torch.cat([mixture(one) for one in x.split(1)])
    torch.testing.assert_close(mixture(x), alone)
    alpha = mixture.shares(x)[0]
    down, up = (sum(a * w for a, w in zip(alpha, each, strict=True))
                for each in (mixture.down, mixture.up))  # fmt: skip
    expected = 0.1 * (x[0] @ down.T).relu() @ up.T
    torch.testing.assert_close(mixture(x)[0], expected)


@pytest.mark.parametrize(
    ("width", "depth", "settings", "expected"),
    [
        (768, 12, {"bottleneck": 8}, 165_996),
        (768, 12, {"bottleneck": 16}, 313_548),
        (768, 12, {}, 1_198_860),
        (768, 12, {"experts": 4}, 4_804_620),
        (384, 12, {"bottleneck": 8}, 83_052),
        (384, 12, {}, 599_820),
        (384, 12, {"experts": 4}, 2_403_852),
    ],
)
def test_counts(width: int, depth: int, settings: dict[str, int], expected: int) -> None:
    assert depth * of_block(width, DytConfig(**settings)) == expected


def test_multiplications_are_the_papers() -> None:
    """Of ViT-B/16 with its patch embedding and norms, 0.1157 G."""
    rest = 0.1157e9
    assert macs(768, [1.0] * 12, patches=196) + rest == pytest.approx(17.563e9, rel=1e-3)
    for rate, expected in ((0.5, 12.045e9), (0.7, 14.265e9), (0.9, 16.484e9)):
        found = macs(768, [rate] * 12, patches=196, bottleneck=8) + rest
        assert found == pytest.approx(expected, rel=1e-3)
