"""Training steps: recomputed, compiled, in reduced precision; what they keep."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from onlay_smoa.dispatch import BLOCK, Dispatch
from onlay_smoa.mixture import RoutedAdapter

TARGETS = torch.tensor([0, 2])
BASES = pytest.mark.parametrize("base", ["adaptformer", "adapter", "dapt"])


def step(model: Any, inputs: Tensor, run: Callable[..., Tensor] | None = None) -> list[Tensor]:
    """The loss and every gradient under one seed."""
    model.zero_grad()
    torch.manual_seed(0)
    loss = (run or model.loss)((inputs, TARGETS))
    loss.backward()
    return [loss.detach(), *(p.grad.clone() for p in model.trained_parameters().values())]


def assert_same(ours: list[Tensor], theirs: list[Tensor]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


@BASES
@pytest.mark.parametrize("where", ["image", "points"])
def test_gradient_checkpointing(
    where: str, base: str, vit: Any, points: Any, adapt: Any, images: Tensor, clouds: Tensor,
    randomize: Any,
) -> None:  # fmt: skip
    """Draws the same noise again, counts nothing twice and leaves no loss behind."""
    built, inputs = (vit(depth=3), images) if where == "image" else (points(), clouds)
    model = randomize(adapt(built, base=base, dropout=0.3, jitter=0.05, balance_weight=0.5))
    expected = step(model.train(), inputs)
    figures, counts = model.figures(), tally_of(model).counts_LN.clone()
    assert counts.sum() > 0
    model.set_grad_checkpointing()
    assert_same(step(model.train(), inputs), expected)
    assert torch.equal(tally_of(model).counts_LN, counts)
    assert model.figures().values == pytest.approx(figures.values)
    users = [m for m in model.adapter.modules() if isinstance(m, RoutedAdapter)]
    assert all(user.pending.value is None for user in users)
    assert_same(step(model, inputs), expected)  # the next step


def tally_of(model: Any) -> Any:
    return next(m for m in model.adapter.modules() if isinstance(m, RoutedAdapter)).mixture.tally


def test_compiled(vit: Any, adapt: Any, images: Tensor, randomize: Any) -> None:
    model = randomize(adapt(vit(depth=1), base="dapt"))
    with torch.no_grad():
        expected = model(images)
        compiled = torch.compile(copy.deepcopy(model), backend="eager")
        torch.testing.assert_close(compiled(images), expected)


def test_a_compiled_training_step(vit: Any, adapt: Any, images: Tensor, randomize: Any) -> None:
    model = randomize(adapt(vit(depth=1), dropout=0.0, balance_weight=0.5)).train()
    expected = step(model, images)
    figures = model.figures()
    twin = copy.deepcopy(model).train()
    compiled = torch.compile(twin, backend="aot_eager")
    found = step(twin, images, lambda batch: twin.loss_of(compiled(batch[0]), batch[1]))
    assert_same(found, expected)
    assert twin.figures().values == pytest.approx(figures.values)


@BASES
def test_autocast(base: str, points: Any, adapt: Any, clouds: Tensor, randomize: Any) -> None:
    model = randomize(adapt(points(), base=base, dropout=0.0), 0.1).train()
    full = step(model, clouds)
    with torch.autocast("cpu", torch.bfloat16):
        reduced = step(model, clouds)
    assert reduced[0].item() == pytest.approx(full[0].item(), rel=0.1)
    assert all(g.isfinite().all() for g in reduced)
    assert all(g.dtype == torch.float32 for g in reduced)


@BASES
def test_learns(base: str, vit: Any, adapt: Any, images: Tensor) -> None:
    """Two images apart, from zero, with the head as it started."""
    model = adapt(vit(), base=base, pool="cls+prompts", dropout=0.0).train()
    trained = [p for n, p in model.trained_parameters().items() if n.startswith("adapter.")]
    optimizer = torch.optim.AdamW(trained, lr=3e-2)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = model.loss((images, TARGETS))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.25 * losses[0]


@pytest.mark.parametrize("experts", [1, 4, 16])
@pytest.mark.parametrize("n", [1, 100, 1000, 5000])
def test_padding_is_less_than_a_block_an_expert(experts: int, n: int) -> None:
    chosen = torch.randint(experts, (n,), generator=torch.Generator().manual_seed(n))
    way = Dispatch(chosen, experts)
    rows = len(way.expert_k) * BLOCK
    assert n <= rows <= n + experts * BLOCK
    assert torch.equal(way.counts_N, torch.bincount(chosen, minlength=experts))
    assert torch.equal(way.expert_k.repeat_interleave(BLOCK)[way.slot_n], chosen)
    assert torch.equal(way.source_m[way.slot_n], torch.arange(n))
    assert way.filled_m.sum() == n
    assert len(way.slot_n.unique()) == n


def kept(mixed: Any, z: Tensor) -> int:
    """Bytes of unique storages for the backward pass that are no parameters."""
    own = {p.untyped_storage().data_ptr() for p in mixed.parameters()}
    storages: dict[int, Any] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = mixed(z, 0).output
    assert output.requires_grad
    return sum(storage.nbytes() for storage in storages.values())


@pytest.mark.parametrize("base", ["adaptformer", "dapt"])
def test_memory_grows_with_tokens_and_not_with_experts(base: str, mixture: Any) -> None:
    """Of 32 experts a cosine and what two softmaxes make of it are kept for every sub-token; a
    bottleneck and an output of 16 each only for the one that was chosen."""
    sizes = {"width": 16, "rank": 16, "query_width": 4}
    few, many = mixture(base, experts=4, **sizes), mixture(base, experts=32, **sizes)
    small, large = (torch.randn(1, n, 16, dtype=torch.float64) for n in (5_000, 10_000))
    assert kept(few, large) / kept(few, small) == pytest.approx(2, abs=0.15)
    for_all = 32 * 10_000 * (16 + 16) * large.element_size()
    assert kept(many, large) < 0.3 * for_all
