"""Each module against its formula written out: values to 1e-6, gradients to 1e-5."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay_dapt.adapter import DynamicAdapter, InternalPrompt
from onlay_dapt.scale_and_shift import ScaleAndShift
from onlay_dapt.token_scale import TokenScale


def away(module: nn.Module) -> Any:
    """All parameters away from zeros, ones and one another."""
    g = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=g))
    return module


def tokens(width: int = 12) -> Tensor:
    return torch.randn(2, 5, width, generator=torch.Generator().manual_seed(1))


def plain_adapter(module: DynamicAdapter, z: Tensor) -> Tensor:
    """s * (W_up GELU(W_down u + b_d) + b_u), s = ReLU(w u + b), u = LN(z)."""
    mean, variance = z.mean(-1, keepdim=True), z.var(-1, keepdim=True, unbiased=False)
    u = (z - mean) / (variance + 1e-5).sqrt() * module.norm.weight + module.norm.bias
    s = (u @ module.score.weight.T + module.score.bias).clamp(min=0)
    h = u @ module.down.weight.T + module.down.bias
    gelu = 0.5 * h * (1 + torch.erf(h / 2**0.5))
    return s * (gelu @ module.up.weight.T + module.up.bias)


def plain_scaling(module: ScaleAndShift, x: Tensor) -> Tensor:
    return module.gamma * x + module.beta


def gradients(f: Callable[[Tensor], Tensor], module: nn.Module, x: Tensor) -> list[Tensor]:
    """Of a loss that weighs every output differently, twice through the module."""
    x = x.clone().requires_grad_()
    weights = torch.randn(x.shape, generator=torch.Generator().manual_seed(7))
    loss = (f(x) * weights).sum() + (f(x.flip(1)) ** 2).sum()
    return list(torch.autograd.grad(loss, [x, *module.parameters()]))


CASES = [
    pytest.param(lambda: DynamicAdapter(12, 4, 0.0), plain_adapter, id="adapter"),
    pytest.param(lambda: ScaleAndShift(12), plain_scaling, id="keeps-input"),
    pytest.param(lambda: ScaleAndShift(12, keeps_output=True), plain_scaling, id="keeps-output"),
]


@pytest.mark.parametrize(("make", "plain"), CASES)
def test_values_and_gradients(make: Any, plain: Any) -> None:
    module, x = away(make()), tokens()
    expected = plain(module, x)
    torch.testing.assert_close(module(x), expected, atol=1e-6, rtol=1e-6)
    with torch.no_grad():
        torch.testing.assert_close(module(x), expected, atol=1e-6, rtol=1e-6)
    ours = gradients(module, module, x)
    theirs = gradients(lambda t: plain(module, t), module, x)
    for one, other in zip(ours, theirs, strict=True):
        assert other.abs().max() > 0.01
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_compiled() -> None:
    """In one graph: there the compiler decides what is kept."""
    pieces = ScaleAndShift(12, keeps_output=True), DynamicAdapter(12, 4, 0.0)
    module, x = away(nn.Sequential(*pieces)), tokens()
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    ours, theirs = (gradients(f, module, x) for f in (compiled, module))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("make", "plain"), CASES)
def test_autocast_stays_near_the_formula(make: Any, plain: Any) -> None:
    """bf16 has 8 bits; gradients come in the parameters' own dtype."""
    module, x = away(make()), tokens()

    def reduced(t: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return module(t).float()

    ours = gradients(reduced, module, x)
    theirs = gradients(lambda t: plain(module, t), module, x)
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, atol=0.05 * other.abs().max().item(), rtol=0)


@pytest.mark.parametrize(("make", "plain"), CASES)
def test_a_model_in_bf16(make: Any, plain: Any) -> None:
    module, x = away(make()).bfloat16(), tokens().bfloat16()
    y = module(x)
    y.float().square().sum().backward()
    assert y.dtype == torch.bfloat16
    expected = plain(copy.deepcopy(module).float(), x.float())
    torch.testing.assert_close(y.float(), expected, atol=0.1, rtol=0.05)
    assert all(p.grad.isfinite().all() for p in module.parameters())


def test_a_gamma_near_zero_still_has_an_exact_gradient() -> None:
    """There x cannot be computed back from the output, so x is kept."""
    module, x = away(ScaleAndShift(12, keeps_output=True)), tokens()
    module(x)  # looks at gamma
    with torch.no_grad():
        module.gamma[3] = 0.0
        module.gamma[4] = -1e-6
    ours = gradients(module, module, x)
    theirs = gradients(lambda t: plain_scaling(module, t), module, x)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_numerical_gradients() -> None:
    for module in (DynamicAdapter(6, 3, 0.0), ScaleAndShift(6, keeps_output=True)):
        away(module).double()
        x = tokens(6).double().requires_grad_()
        assert torch.autograd.gradcheck(module, (x,))


def test_kept_for_the_backward_pass() -> None:
    """Scale-and-shift keeps the tensor that GELU keeps; the adapter its input and what is as
    narrow as the bottleneck."""
    width, rank = 32, 4
    x = tokens(width).requires_grad_()
    scaling, adapter = ScaleAndShift(width, keeps_output=True), DynamicAdapter(width, rank, 0.0)
    own = {p.data_ptr() for m in (scaling, adapter) for p in m.parameters()}

    def wide(f: Callable[[], Tensor]) -> set[int]:
        kept: dict[int, Tensor] = {}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: kept.setdefault(t.untyped_storage().data_ptr(), t), lambda t: t
        ):
            f()
        return {
            at for at, t in kept.items()
            if at not in own and t.untyped_storage().nbytes() == x.nbytes
        }  # fmt: skip

    z = x * 2
    assert len(wide(lambda: F.gelu(scaling(z)))) == 1
    assert len(wide(lambda: F.gelu(plain_scaling(scaling, z)))) == 2
    assert wide(lambda: adapter(z)) == {z.data_ptr()}
    assert len(wide(lambda: plain_adapter(adapter, z))) > 3


def test_the_scale_is_per_token_and_zero_leaves_a_token_alone() -> None:
    adapter = away(DynamicAdapter(12, 4, 0.0))
    seen: list[Tensor] = []
    shown = [m for m in adapter.modules() if getattr(m, "shown", "") == "per-token scale"]
    assert [type(m) for m in shown] == [TokenScale]
    shown[0].register_forward_hook(lambda _, __, output: seen.append(output))
    with torch.no_grad():
        a = adapter(tokens())
    assert seen[0].shape == (2, 5, 1)
    off = seen[0].squeeze(-1) == 0
    assert 0 < off.sum() < off.numel()
    assert not a[off].any()
    assert a[~off].all()


def test_initialisation() -> None:
    torch.manual_seed(0)
    adapter, scaling = DynamicAdapter(400, 64, 0.0), ScaleAndShift(10_000)
    for linear in (adapter.down, adapter.score):  # kaiming_uniform(a=sqrt(5)): 1 / sqrt(fan in)
        assert 0.045 < linear.weight.abs().max() <= 0.05
        assert not linear.bias.any()
    assert not adapter.up.weight.any()
    assert not adapter.up.bias.any()
    assert DynamicAdapter(8, 4, 0.0, score_bias=0.5).score.bias.item() == 0.5
    for tensor, mean in ((scaling.gamma, 1.0), (scaling.beta, 0.0)):
        assert tensor.mean().item() == pytest.approx(mean, abs=1e-3)
        assert tensor.std().item() == pytest.approx(0.02, rel=0.05)


def test_dropout_acts_in_the_bottleneck_behind_gelu() -> None:
    torch.manual_seed(0)
    adapter = away(DynamicAdapter(12, 200, 0.5)).train()
    dropped: list[Tensor] = []
    adapter.dropout.register_forward_hook(lambda _, args, output: dropped.extend([*args, output]))
    adapter(tokens())
    before, after = dropped
    assert before.shape[-1] == 200
    assert before.min() > -0.18  # GELU's minimum is -0.17
    assert 0.4 < (after == 0).float().mean() < 0.6


def test_the_prompt() -> None:
    a, scaling = tokens(), away(ScaleAndShift(12))
    gelu = 0.5 * a * (1 + torch.erf(a / 2**0.5))
    prompt = InternalPrompt(scaling, "mean")(a)
    expected = scaling.gamma * gelu.mean(1, keepdim=True) + scaling.beta
    torch.testing.assert_close(prompt, expected, atol=1e-6, rtol=1e-6)
    largest = InternalPrompt(nn.Identity(), "max")(a)
    torch.testing.assert_close(largest, gelu.amax(1, keepdim=True), atol=1e-6, rtol=1e-6)
