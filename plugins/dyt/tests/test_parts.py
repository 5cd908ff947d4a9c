"""Gates, losses, experts, counts and multiplications, by hand and by the paper's numbers."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import onlay
from onlay.features import Grid
from onlay_dyt.adapter import of_block
from onlay_dyt.bottleneck import Experts
from onlay_dyt.config import DytConfig
from onlay_dyt.dispatch import Router
from onlay_dyt.macs import macs
from onlay_dyt.passing import Passing, Taught, divergence


@pytest.fixture
def small() -> Any:
    """`small(task={...})`: DyT without chance on a tiny ViT whose MLPs speak loudly."""
    timm = pytest.importorskip("timm")
    pytest.importorskip("onlay_image")

    def make(task: Any) -> Any:
        torch.manual_seed(0)
        sizes = {"depth": 2, "img_size": 32, "embed_dim": 24, "num_heads": 2, "num_classes": 0}
        network = timm.create_model("vit_tiny_patch16_224", **sizes)
        for block in network.blocks:
            torch.nn.init.normal_(block.mlp.fc2.weight)
        method = {"name": "dyt", "bottleneck": 4, "dropout": 0.0, "rate_weight": 0.0}
        task = {"name": "classification", **task}
        model = onlay.adapt(network, method, task=task, num_classes=3).train()
        for each in model.modules():
            if isinstance(each, Router):
                torch.nn.init.constant_(each.score.bias, -1e4)  # all closed
        return model

    return make


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


def test_batches_by_their_share_have_the_loss_of_all_of_them(small: Any) -> None:
    """With class weights, which the divergence from the complete network knows nothing of."""
    model = small(task={"pool": "mean", "class_weights": [1.0, 9.0, 1.0]})
    torch.manual_seed(1)
    images, classes = torch.randn(8, 3, 32, 32), torch.tensor([0, 0, 0, 2, 1, 1, 1, 1])
    parts = [(images[:4], classes[:4]), (images[4:], classes[4:])]
    weights = [model.head.weight_of(own) for _, own in parts]
    each = [
        model.loss(part, share=2 * weight / sum(weights)) / 2
        for part, weight in zip(parts, weights, strict=True)
    ]
    torch.testing.assert_close(sum(each), model.loss((images, classes)))
    kept = next(m for m in model.modules() if isinstance(m, Taught))
    assert kept.apart is None


def test_batch_norms_of_the_head_see_each_pass_by_itself(small: Any) -> None:
    """As in two passes: first the dispatched one, then the complete one."""
    model = small(task={"pool": "mean", "head_norm": "batch"})
    torch.manual_seed(1)
    images, classes = torch.randn(6, 3, 32, 32), torch.tensor([0, 1, 2, 0, 1, 2])
    seen = []
    norm = next(m for m in model.head.modules() if isinstance(m, nn.BatchNorm1d))
    norm.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].detach()))
    model.loss((images, classes))
    assert [len(each) for each in seen] == [6, 6]
    assert not torch.allclose(seen[0], seen[1])
    mean = 0.9 * 0.1 * seen[0].mean(0) + 0.1 * seen[1].mean(0)
    torch.testing.assert_close(norm.running_mean, mean)


def test_what_is_learnt_from_the_complete_network() -> None:
    teacher, student = torch.tensor([[0.0, math.log(3)]]), torch.zeros(1, 2)
    assert divergence(teacher, student).item() == pytest.approx(0.13081, abs=1e-5)
    head = SimpleNamespace(loss=lambda output, targets: output.sum(), main_metric="top1")
    taught = Taught(DytConfig())
    assert taught.views(torch.zeros(1, 3)).shape == (2, 3)
    found = taught.loss(torch.cat([student, teacher]), None, head)
    assert found.item() == pytest.approx(math.log(3), abs=1e-5)
    taught.train().note(0, torch.tensor([[1.0, 1.0]]))
    rates = 2.0 * (1.0 - 0.5) ** 2
    assert taught.auxiliary_loss().item() == pytest.approx(0.13081 + rates, abs=1e-5)
    assert taught.auxiliary_loss() == 0


def test_biases_of_experts_do_not_decay(small: Any) -> None:
    spared = small(task={}).no_weight_decay()
    assert {name.rpartition(".")[2] for name in spared} == {"down_bias", "up_bias"}
    assert len(spared) == 4


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
