"""Other number types, recomputed activations, compiled steps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from onlay.features import Grid, Points

TARGETS = torch.tensor([0, 2])
WHERE = pytest.mark.parametrize("where", ["vit", "swin", "cloud"])
SWIN = "swin_tiny_patch4_window7_224"


@pytest.fixture
def case(vit: Any, points: Any, timm_model: Any, images: Tensor, clouds: Tensor) -> Any:
    """`case("swin")`: a backbone with inputs."""

    def make(where: str) -> tuple[Any, Tensor]:
        if where == "cloud":
            return points(), clouds
        if where == "vit":
            return vit(), images
        return timm_model(SWIN), images.repeat(1, 1, 4, 4)[..., :32]

    return make


def step(model: Any, inputs: Tensor) -> list[Tensor]:
    """The loss and every gradient."""
    model.zero_grad()
    loss = model.train().loss((inputs, TARGETS))
    loss.backward()
    return [loss.detach(), *(p.grad.clone() for p in model.trained_parameters().values())]


def assert_same(ours: list[Any], theirs: list[Any]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


@WHERE
@pytest.mark.parametrize("norm", ["none", "bound", "filter"])
def test_autocast(where: str, norm: str, case: Any, adapt: Any, randomize: Any) -> None:
    built, inputs = case(where)
    model = randomize(adapt(built, kernel_norm=norm, learnable_scale=True), 0.1)
    full = step(model, inputs)
    with torch.autocast("cpu", torch.bfloat16):
        reduced = step(model, inputs)
        with torch.no_grad():
            logits = model.eval()(inputs)
    assert reduced[0].item() == pytest.approx(full[0].item(), rel=0.1)
    assert logits.isfinite().all()
    whole = torch.cat([g.flatten() for g in full[1:]]).norm()
    for one, other in zip(reduced, full, strict=True):
        assert one.isfinite().all()
        assert one.dtype == torch.float32
        assert (one - other).norm() <= 0.2 * other.norm() + 0.01 * whole


def test_kernels_before_a_norm_are_made_in_float32(case: Any, adapt: Any, randomize: Any) -> None:
    """A norm of nine taps magnifies what bfloat16 rounds: under autocast it must not round."""
    built, _ = case("vit")
    model = randomize(adapt(built, kernel_norm="filter"), 0.1)
    adapter = next(m for m in model.adapter.modules() if hasattr(m, "kernel_norm"))
    z_BSd = torch.randn(2, 4, adapter.down.out_features)
    exact = adapter._generated(z_BSd, (2, 2))
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(adapter._generated(z_BSd, (2, 2)), exact, rtol=0, atol=0)


@WHERE
def test_double(where: str, case: Any, adapt: Any, randomize: Any) -> None:
    built, inputs = case(where)
    model = randomize(adapt(built, kernel_norm="filter"))
    with torch.no_grad():
        single = model(inputs)
        double = model.double()(inputs.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, atol=1e-4, rtol=1e-4)


def test_bfloat16_throughout(case: Any, adapt: Any, randomize: Any) -> None:
    built, inputs = case("vit")
    model = randomize(adapt(built, kernel_norm="filter"), 0.1)
    with torch.no_grad():
        single = model(inputs)
        half = model.bfloat16()(inputs.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), single, atol=0.1, rtol=0.1)


@WHERE
@pytest.mark.parametrize("placement", ["parallel_ffn", "after_attn"])
def test_gradient_checkpointing(
    where: str, placement: str, case: Any, adapt: Any, randomize: Any
) -> None:
    built, inputs = case(where)
    model = randomize(adapt(built, placement=placement))
    expected = step(model, inputs)
    model.set_grad_checkpointing()
    assert_same(step(model, inputs), expected)
    assert_same(step(model, inputs), expected)  # the next step


@pytest.mark.parametrize("cloud", [False, True])
def test_gradients_of_a_compiled_adapter(cloud: bool, alone: Any) -> None:
    g = torch.Generator().manual_seed(2)
    layout: Any = Grid(2, 3, prefix=1)
    if cloud:
        layout = Points(torch.randn(2, 6, 3, generator=g), prefix=1)
    adapter = alone(layout, kernel_norm="filter", neighbours=3)
    compiled = torch.compile(adapter, backend="aot_eager")
    found = []
    for run in (adapter, compiled):
        x = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(1)).double()
        adapter.zero_grad()
        run(x.requires_grad_()).square().sum().backward()
        found.append([x.grad, *(p.grad.clone() for p in adapter.parameters())])
    assert_same(found[1], found[0])
