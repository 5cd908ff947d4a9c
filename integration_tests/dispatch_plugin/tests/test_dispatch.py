"""Token dispatch by its formula: who passes, how many rows are computed, what a rate costs."""

import pytest
import torch
from torch import Tensor

import onlay
from onlay.model.adapted import AdaptedModel
from onlay.testing import tiny_backbone
from onlay_example_dispatch.adapter import Router


@pytest.fixture
def model() -> AdaptedModel:
    """Two blocks of width 16, seven tokens, with routers that disagree about them."""
    torch.manual_seed(0)
    model = onlay.adapt(tiny_backbone(), {"name": "dispatch", "bottleneck": 2}, num_classes=3)
    with torch.no_grad():
        for parameter in model.adapter.parameters():
            parameter += torch.randn_like(parameter)
    return model.eval()


def routers(model: AdaptedModel) -> list[Router]:
    return [module for module in model.adapter.modules() if isinstance(module, Router)]


def test_it_trains_an_adapter_and_a_score_for_each_block(model: AdaptedModel) -> None:
    # adapter 16 * 2 + 2 + 2 * 16 + 16, score 16 + 1
    assert model.trainable_report().method == 2 * (82 + 17)


def test_the_mlp_computes_the_rows_that_pass_and_gives_what_gates_give(model: AdaptedModel) -> None:
    rows: list[tuple[int, ...]] = []
    for block in model.backbone.blocks:
        block.mlp.fc1.register_forward_hook(lambda module, given, out: rows.append(out.shape[:-1]))
    images = torch.randn(3, 3, 8, 12)
    masked = model(images)
    assert rows == [(3, 7)] * 2
    rows.clear()
    passed: list[int] = []
    for router in routers(model):
        router.register_forward_hook(lambda m, given, out: passed.append(int((m.gates > 0).sum())))
    with torch.no_grad():
        packed = model(images)
    assert not any(router.gates.numel() for router in routers(model))
    assert rows == [(n,) for n in passed]
    assert 0 < sum(passed) < 2 * 3 * 7
    torch.testing.assert_close(packed, masked)


def test_the_class_token_always_passes_and_closed_tokens_skip_the_mlp(model: AdaptedModel) -> None:
    with torch.no_grad():
        for router in routers(model):
            router.score.bias.fill_(-1e4)
        met: dict[str, Tensor] = {}
        mlp = model.backbone.blocks[0].mlp
        mlp.register_forward_hook(lambda module, given, out: met.update(x=given[0], out=out))
        model(model.anatomy.example(2))
        out = met["out"]
        with model.disabled() as bare:
            whole = bare.blocks[0].mlp(met["x"])
    torch.testing.assert_close(out[:, 0], whole[:, 0])
    assert not out[:, 1:].any()


@pytest.mark.parametrize(("logit", "share"), [(-2.0, 0.1192), (0.0, 0.5), (2.0, 0.8808)])
def test_a_token_passes_as_often_as_the_sigmoid_says(
    model: AdaptedModel, logit: float, share: float
) -> None:
    router = routers(model)[0].train()
    with torch.no_grad():
        router.score.weight.zero_(), router.score.bias.fill_(logit)
        torch.manual_seed(0)
        router(torch.zeros(4000, 7, 16))
    assert router.gates[:, 1:].mean() == pytest.approx(share, abs=0.01)


def test_the_mean_of_all_gates_is_drawn_to_the_rate(model: AdaptedModel) -> None:
    """Means 1 and 0.5: 2 * (0.75 - 0.5) ** 2, and nothing of a pass in evaluation."""
    first, second = routers(model.train())
    first.rates.update({0: torch.tensor(1.0), 1: torch.tensor(0.5)})
    assert [first.auxiliary_loss().item(), second.auxiliary_loss().item()] == [0.125, 0]
    assert not first.rates
    model.eval()(model.anatomy.example(2))
    assert first.auxiliary_loss() == 0


def test_what_passes_is_shown(model: AdaptedModel) -> None:
    router, x = routers(model)[0], torch.randn(2, 7, 16)
    with torch.no_grad():
        assert torch.equal(router(x), x)
        shown = router.shows(x, x)
    assert torch.equal(shown[:, 1:] > 0, router.score(x)[:, 1:, 0] > 0)
    assert bool((shown[:, 0] == 1).all())
