"""Which expert a sub-token goes to, and with what weight."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from onlay_smoa.router import Router


@pytest.fixture
def router() -> Callable[..., Router]:
    """`router(width=4, experts=5, query_width=3, ...)`, as it starts."""

    def make(width: int = 4, experts: int = 5, query_width: int = 3, **fields: Any) -> Router:
        torch.manual_seed(0)
        given: Any = {"normalize_query": True, "temperature": 0.3, "jitter": 0.0} | fields
        return Router(width, experts, query_width, **given).eval()

    return make


@pytest.fixture
def axes(router: Any) -> Callable[..., Router]:
    """Compares sub-tokens of width 3 themselves with embeddings that a test gives."""

    def make(embeddings: list[list[float]], **fields: Any) -> Router:
        made = router(3, len(embeddings), 3, **fields)
        with torch.no_grad():
            made.query.weight.copy_(torch.eye(3))
            made.embeddings.copy_(torch.tensor(embeddings))
        return made

    return make


def sub_tokens(n: int = 40, width: int = 4) -> Tensor:
    return torch.randn(n, width, generator=torch.Generator().manual_seed(1))


def test_by_hand(axes: Any) -> None:
    """Cosines 0.6 and 0.8, softmax at 0.5: 1 / (1 + exp(0.4)) and its complement."""
    found = axes([[1.0, 0, 0], [0, 1.0, 0]], temperature=0.5)(torch.tensor([[3.0, 4.0, 0.0]]))
    assert found.expert_n.tolist() == [1]
    torch.testing.assert_close(found.cosine_Nn, torch.tensor([[0.6], [0.8]]))
    assert found.gate_n.item() == pytest.approx(1 - 1 / (1 + math.exp(0.4)), rel=1e-6)


def test_of_equal_experts_the_first(axes: Any) -> None:
    """Rows 1 and 3 are equal and best for one sub-token; for another, all are."""
    x, y, z = [1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]
    found = axes([y, x, z, x])(torch.tensor([[2.0, 0, 0], [0, 0, 0], [1.0, 1.0, 1.0]]))
    assert found.expert_n.tolist() == [1, 0, 0]
    assert found.gate_n[1].item() == pytest.approx(0.25)


@pytest.mark.parametrize("normalize", [True, False])
def test_length_matters_only_where_the_query_keeps_it(router: Any, normalize: bool) -> None:
    made = router(normalize_query=normalize)
    with torch.no_grad():
        near, far = made(sub_tokens()), made(5 * sub_tokens())
    assert torch.equal(near.expert_n, far.expert_n)
    if normalize:
        torch.testing.assert_close(near.gate_n, far.gate_n)
        assert near.cosine_Nn.abs().max() <= 1 + 1e-6
    else:
        torch.testing.assert_close(5 * near.cosine_Nn, far.cosine_Nn)
        assert (far.gate_n > near.gate_n).all()


def test_the_length_of_an_embedding_never_matters(router: Any) -> None:
    made = router(normalize_query=False)
    with torch.no_grad():
        before = made(sub_tokens())
        made.embeddings.mul_(torch.tensor([0.1, 1, 2, 3, 50]).unsqueeze(1))
        after = made(sub_tokens())
    torch.testing.assert_close(before.cosine_Nn, after.cosine_Nn)


def test_gates_are_probabilities_of_winners(router: Any) -> None:
    with torch.no_grad():
        found = router()(sub_tokens())
    p_nN = (found.cosine_Nn / 0.3).softmax(0).T
    torch.testing.assert_close(found.gate_n, p_nN.amax(1))
    assert torch.equal(found.expert_n, p_nN.argmax(1))


def test_a_whole_gate_is_one_and_has_the_gradient_of_the_logarithm(router: Any) -> None:
    weights = []
    for whole in (False, True):
        made = router(whole_gate=whole)
        gate_n = made(sub_tokens()).gate_n
        (gate_n if whole else gate_n.log()).sum().backward()
        weights.append((made.query.weight.grad, made.embeddings.grad))
    assert torch.equal(gate_n.detach(), torch.ones(40))
    torch.testing.assert_close(weights[1], weights[0])


@pytest.mark.parametrize(("experts", "query_width"), [(4, 8), (8, 8), (16, 8)])
def test_embeddings_start_orthogonal(router: Any, experts: int, query_width: int) -> None:
    """Rows where there is room for them, else columns; 0.32 long, as in X-MoE's code."""
    e = router(64, experts, query_width).embeddings.detach()
    gram = e @ e.T if experts <= query_width else e.T @ e
    expected = 0.32**2 * torch.eye(min(experts, query_width))
    torch.testing.assert_close(gram, expected, atol=1e-6, rtol=0)


def test_the_query_starts_by_xavier_and_has_no_bias(router: Any) -> None:
    query = router(64, 16, 8).query
    bound = math.sqrt(6 / (64 + 8))
    assert query.bias is None
    assert 0.95 * bound < query.weight.abs().max() <= bound


@pytest.mark.parametrize("temperature", [0.3, 0.07])
def test_the_temperature_starts_where_it_is_set(router: Any, temperature: float) -> None:
    made = router(temperature=temperature)
    assert made.log_temperature.exp().item() == pytest.approx(temperature, rel=1e-6)
    assert made.log_temperature.requires_grad
    fixed = router(temperature=temperature, learn_temperature=False)
    assert "log_temperature" not in dict(fixed.named_parameters())
    u = torch.randn(3, fixed.query.in_features, generator=torch.Generator().manual_seed(0))
    fixed.load_state_dict({n: t for n, t in made.state_dict().items() if "log" not in n})
    assert torch.equal(fixed(u).gate_n, made(u).gate_n)


def test_jitter_is_for_training_and_within_bounds(router: Any) -> None:
    """A query of one number is compared as it is: times the noise."""
    made = router(1, 1, 1, normalize_query=False, jitter=0.1)
    with torch.no_grad():
        made.query.weight.fill_(1.0)
        made.embeddings.fill_(1.0)
        u = torch.full((4000, 1), 2.0)
        assert made(u).cosine_Nn.eq(2.0).all()
        noise = made.train()(u).cosine_Nn / 2
    assert 0.9 <= noise.min() < 0.901
    assert 1.099 < noise.max() <= 1.1 + 1e-6
    assert noise.mean().item() == pytest.approx(1.0, abs=5 * 0.0577 / math.sqrt(4000))


def test_the_experts_read_what_has_no_jitter(mixture: Any, tokens: Tensor) -> None:
    """With one expert the router has nothing to decide."""
    plain, noisy = mixture(experts=1), mixture(experts=1, jitter=0.5)
    assert torch.equal(plain.train()(tokens, 0).output, noisy.train()(tokens, 0).output)


@pytest.mark.parametrize("reduced", [torch.bfloat16, torch.float16])
def test_in_float32_whatever_surrounds_it(
    mixture: Any, tokens: Tensor, reduced: torch.dtype
) -> None:
    mixed, seen = mixture().float(), []
    mixed.router.register_forward_hook(lambda _, __, output: seen.append(output))
    z = tokens.float()
    with torch.no_grad():
        full = mixed(z, 0).output
        with torch.autocast("cpu", reduced):
            output = mixed(z, 0).output
    assert output.dtype == reduced
    torch.testing.assert_close(output.float(), full, atol=0.02, rtol=0.05)
    for one, other in zip(*seen, strict=True):
        assert torch.equal(one, other)
    assert seen[1].cosine_Nn.dtype == seen[1].gate_n.dtype == torch.float32


def test_a_model_in_bf16_routes_in_float32(mixture: Any, tokens: Tensor) -> None:
    mixed, seen = mixture().bfloat16(), []
    mixed.router.register_forward_hook(lambda _, __, output: seen.append(output))
    z = tokens.bfloat16().requires_grad_()
    mixed(z, 0).output.float().square().sum().backward()
    assert seen[0].cosine_Nn.dtype == seen[0].gate_n.dtype == torch.float32
    assert z.grad is not None
    for tensor in (z, *mixed.parameters()):
        assert tensor.grad.dtype == torch.bfloat16
        assert tensor.grad.isfinite().all()
        assert tensor.grad.any()
