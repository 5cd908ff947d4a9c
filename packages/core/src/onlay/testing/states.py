"""What is compared before and after: tensors, features, the tree of modules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from onlay.anatomy import BuiltBackbone
from onlay.model.adapted import AdaptedModel
from onlay.testing.checking import require

OF_ALL = 8
"""Steps of which the modules of a method hear that there will be so many."""


def bits(module: nn.Module) -> dict[str, Tensor]:
    """A copy of every parameter and buffer, the ones that are not saved too."""
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in named}


def changed(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> str:
    """The names whose tensors are not bit for bit the same; empty if all are."""
    both = {**before, **after}
    names = [name for name in both if not _same(before.get(name), after.get(name))]
    return listed(names)


def listed(names: list[str]) -> str:
    """Three of them, and how many more."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(f"`{name}`" for name in names[:3]) + more


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.dtype == other.dtype and one.shape == other.shape and bool((one == other).all())


def features_of(built: BuiltBackbone, inputs: Tensor, *, inserted: int = 0) -> dict[str, Tensor]:
    """`patches`, and `cls` where there is one."""
    features = built.anatomy.encode(inputs, inserted=inserted)
    cls = {} if features.cls is None else {"cls": features.cls}
    return {"patches": features.patches, **cls}


def tree(module: nn.Module) -> dict[str, object]:
    """Of each module: its class, hooks, attributes, and which tensor objects it holds."""
    return {name: _facts(child) for name, child in module.named_modules()}


def _facts(module: nn.Module) -> tuple[object, ...]:
    own = vars(module)
    hooks = {k: len(v) for k, v in own.items() if k.endswith("hooks") and hasattr(v, "__len__")}
    attributes = {k: id(v) for k, v in own.items() if not _is_table(k)}
    tensors = {k: (id(t), t.requires_grad) for k, t in module._parameters.items() if t is not None}
    buffers = {k: id(t) for k, t in module._buffers.items()}
    return type(module), hooks, attributes, tensors, buffers, list(module._modules)


def _is_table(name: str) -> bool:
    return name.endswith("hooks") or name in ("_parameters", "_buffers", "_modules", "training")


def shake(tensors: Iterable[Tensor], size: float) -> None:
    """Move every value by up to `size`, always in the same way, away from ones and zeros."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in tensors:
            if tensor.is_floating_point():
                noise = 2 * torch.rand(tensor.shape, generator=generator) - 1
                tensor.add_(size * noise.to(tensor))


def apart(got: Tensor, expected: Tensor) -> float:
    """The largest difference, as a part of the largest value that is expected, or of one."""
    if got.shape != expected.shape:
        return float("inf")
    if not got.numel():
        return 0.0
    return ((got - expected).abs().max() / expected.abs().max().clamp(min=1)).item()


def step(
    model: AdaptedModel, batch: tuple[Tensor, Tensor], steps: int = 1, *, done: int = 0
) -> None:
    """Train with plain gradient descent, after `done` steps of an earlier call."""
    parameters = list(model.trained_parameters().values())
    model.train()
    for number in range(done + 1, done + steps + 1):
        loss = model.loss(batch)
        require(bool(loss.isfinite()), f"the loss is {loss.item()}")
        loss.backward()
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.data.sub_(0.1 * parameter.grad)
        model.after_step(number, OF_ALL)
        for parameter in parameters:
            parameter.grad = None
    model.eval()


def strided(x: Tensor) -> Tensor:
    """The same values, the last two axes in the other order in memory."""
    if x.ndim < 2:
        return x
    return x.transpose(-1, -2).contiguous().transpose(-1, -2)
