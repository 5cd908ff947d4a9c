"""The mixture against loops over sub-tokens: outputs, every gradient, whatever goes where."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from onlay_smoa import mixture as mixture_module
from onlay_smoa.dispatch import BLOCK, Dispatch

BASES = pytest.mark.parametrize("base", ["adaptformer", "dapt"])


def gradients(f: Callable[[Tensor], Tensor], module: nn.Module, z: Tensor) -> list[Tensor]:
    """Of a loss that weighs every output differently, twice through the module."""
    z = z.clone().requires_grad_()
    g = torch.Generator().manual_seed(7)
    weights = torch.randn(z.shape, generator=g, dtype=z.dtype)
    loss = (f(z) * weights).sum() + (f(z.flip(1)) ** 2).sum()
    return list(torch.autograd.grad(loss, [z, *module.parameters()]))


def compare(mixed: Any, plain: Any, z: Tensor) -> dict[str, Tensor]:
    """Outputs and gradients of both; gives the gradients by name."""
    torch.testing.assert_close(mixed(z, 0).output, plain(z), atol=1e-12, rtol=1e-10)
    ours = gradients(lambda t: mixed(t, 0).output, mixed, z)
    theirs = gradients(plain, mixed, z)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-11, rtol=1e-9)
    names = ["input", *(name for name, _ in mixed.named_parameters())]
    return dict(zip(names, ours, strict=True))


@BASES
@pytest.mark.parametrize("normalize", [True, False])
def test_against_the_loop(
    base: str, normalize: bool, mixture: Any, written: Any, tokens: Tensor
) -> None:
    mixed = mixture(base, normalize_query=normalize, scale=0.7)
    plain = written(mixed)
    assert len(set(plain.winners(tokens))) > 2
    assert mixed(tokens, 0).expert.flatten().tolist() == plain.winners(tokens)
    for gradient in compare(mixed, plain, tokens).values():
        assert gradient.abs().max() > 1e-3


@BASES
@pytest.mark.parametrize("block", [1, 3, 7, 128])
def test_block_sizes_give_the_same(
    base: str, block: int, mixture: Any, written: Any, tokens: Tensor, monkeypatch: Any
) -> None:
    sized = functools.partial(Dispatch, block=block)
    monkeypatch.setattr(mixture_module, "Dispatch", sized)
    mixed = mixture(base)
    compare(mixed, written(mixed), tokens)


@BASES
def test_an_expert_without_sub_tokens_has_zero_gradients(
    base: str, mixture: Any, written: Any, tokens: Tensor
) -> None:
    mixed = mixture(base, experts=12, query_width=2)
    plain = written(mixed)
    z = tokens[:1, :2]
    idle = sorted(set(range(12)) - set(plain.winners(z)) - set(plain.winners(z.flip(1))))
    used = sorted(set(range(12)) - set(idle))
    assert idle, "six sub-tokens cannot visit twelve experts"
    found = compare(mixed, plain, z)
    for name, gradient in found.items():
        if name.startswith("experts."):
            assert not gradient[idle].any(), name
            assert name == "experts.up.bias" or gradient[used].any(), name
    assert found["router.embeddings"][idle].any()  # the softmax is over all


@BASES
def test_all_sub_tokens_to_one_expert(
    base: str, mixture: Any, written: Any, tokens: Tensor, monkeypatch: Any
) -> None:
    """In blocks of 7, which 30 sub-tokens do not fill."""
    sized = functools.partial(Dispatch, block=7)
    monkeypatch.setattr(mixture_module, "Dispatch", sized)
    mixed = mixture(base)
    for expert in (0, 4):
        with torch.no_grad():  # one direction, of which the other embeddings are the opposite
            mixed.router.query.weight.copy_(torch.ones(3, 1) @ torch.tensor([[1.0, 0, 0, 0]]))
            mixed.router.embeddings.copy_(-torch.ones(5, 3))
            mixed.router.embeddings[expert] *= -1
        z = tokens.clone()
        z[..., ::4] = z[..., ::4].abs() + 0.1
        assert set(written(mixed).winners(z)) == {expert}
        found = compare(mixed, written(mixed), z)
        rest = [i for i in range(5) if i != expert]
        assert not found["experts.down.weight"][rest].any()


@BASES
@pytest.mark.parametrize("n", [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_any_number_of_sub_tokens(base: str, n: int, mixture: Any, written: Any) -> None:
    mixed = mixture(base, experts=3)
    z = torch.randn(1, n, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(n))
    with torch.no_grad():
        torch.testing.assert_close(mixed(z, 0).output, written(mixed)(z), atol=1e-12, rtol=1e-10)


@BASES
def test_numerical_gradients(base: str, mixture: Any) -> None:
    """Away from a change of winner, which a finite difference must not cross."""
    mixed = mixture(base, experts=3)
    g = torch.Generator().manual_seed(2)
    z = torch.randn(1, 3, 8, dtype=torch.float64, generator=g).requires_grad_()
    parameters = [p for _, p in mixed.named_parameters()]
    assert torch.autograd.gradcheck(lambda t, *_: mixed(t, 0).output, (z, *parameters), eps=1e-7)


def test_one_head_is_a_plain_mixture(mixture: Any, tokens: Tensor) -> None:
    """A loop over experts, with masks over whole tokens."""
    mixed = mixture(width=12, experts=4)
    router, x = mixed.router, mixed.experts
    z = tokens.flatten(0, 1)
    q = z @ router.query.weight.T
    cosine = (q / q.norm(dim=1, keepdim=True)) @ (
        router.embeddings / router.embeddings.norm(dim=1, keepdim=True)
    ).T
    gates = (cosine / router.log_temperature.exp()).softmax(1)
    best, chosen = gates.max(1)
    expected = torch.zeros_like(z)
    for i in range(4):
        y = (z @ x.down.weight[i] + x.down.bias[i]).relu() @ x.up.weight[i] + x.up.bias[i]
        expected += (chosen == i)[:, None] * best[:, None] * y
    assert len(chosen.unique()) > 2
    torch.testing.assert_close(mixed(tokens, 0).output.flatten(0, 1), expected)


def test_one_expert_is_adaptformer(mixture: Any, tokens: Tensor) -> None:
    """The softmax over one expert is 1, and so is the gate."""
    mixed = mixture(width=12, experts=1, scale=0.1)
    assert torch.equal(mixed.router(tokens[0]).gate_n, torch.ones(5, dtype=torch.float64))
    down, up = nn.Linear(12, 3).double(), nn.Linear(3, 12).double()
    for linear, own in ((down, mixed.experts.down), (up, mixed.experts.up)):
        linear.weight, linear.bias = nn.Parameter(own.weight[0].T), nn.Parameter(own.bias[0])
    expected = 0.1 * up(down(tokens).relu())
    torch.testing.assert_close(mixed(tokens, 0).output, expected)


class Identity(nn.Module):
    def forward(self, u_kbd: Tensor, expert_k: Tensor) -> Tensor:
        return u_kbd


@pytest.mark.parametrize("shape", [(2, 5, 12), (2, 3, 5, 12), (1, 1, 4)])
def test_split_and_merge_give_every_value_back(shape: Any, mixture: Any) -> None:
    """Token sequences and Swin's maps; with experts that do nothing and gates of 1."""
    mixed = mixture(experts=1)
    mixed.experts = Identity()
    z = torch.randn(shape, dtype=torch.float64)
    found = mixed(z, 0)
    assert torch.equal(found.output, z)
    assert found.expert.shape == (*shape[:-1], shape[-1] // 4)


def test_a_sub_token_is_a_stretch_of_a_token(mixture: Any, tokens: Tensor) -> None:
    """Changing the second of three changes its own four values alone."""
    mixed = mixture()
    other = tokens.clone()
    other[1, 3, 4:8] += 1.0
    with torch.no_grad():
        changed = mixed(other, 0).output != mixed(tokens, 0).output
    expected = torch.zeros(2, 5, 12, dtype=torch.bool)
    expected[1, 3, 4:8] = True
    assert torch.equal(changed, expected)


@BASES
def test_permuting_tokens_permutes_the_output(base: str, mixture: Any, tokens: Tensor) -> None:
    mixed, order = mixture(base), torch.tensor([3, 0, 4, 2, 1])
    with torch.no_grad():
        moved = mixed(tokens[:, order], 0).output
        torch.testing.assert_close(moved, mixed(tokens, 0).output[:, order], atol=1e-14, rtol=0)


def test_stays_in_its_dtype_without_strides_of_its_own(mixture: Any, tokens: Tensor) -> None:
    """Single precision, and a view that is not contiguous."""
    mixed, z = mixture(), tokens.transpose(0, 1)
    with torch.no_grad():
        expected = mixed(z, 0).output
        found = mixed.float()(z.float(), 0).output
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)
