"""Attach proves itself alive: every site is met, every trainable tensor is in the graph.

Liveness is about the graph, not about magnitudes: LayerScale at 1e-5 and norms that start at zero
hide any effect at initialisation, and a zero up-projection hides its down-projection. So the graph
behind the features is walked.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from onlay.anatomy.adapter import Adapter
from onlay.errors import AnatomyError


def prove_alive(adapter: Adapter) -> None:
    """Run the backbone forward once on a random example and walk the graph behind its features.

    In evaluation. A hard gate that lets a gradient through in training alone gets a second look in
    training, of the adapter's modules only; what that draws and moves is put back.

    Raises:
        AnatomyError: a site was never met, or a trainable tensor has no path to the features; names
            them.
    """
    for pipe in adapter.pipes.values():
        pipe.met = False
    for replacement in adapter.replacements:
        replacement.met = False
    reached = _reached(adapter, training=False)
    _check_met(adapter)
    if _dead(adapter, reached):
        reached |= _reached(adapter, training=True)
    _check_connected(adapter, reached)


def _reached(adapter: Adapter, *, training: bool) -> set[int]:
    """The ids of the leaves behind the features of one pass."""
    model = adapter.anatomy.model
    modes = {module: module.training for module in [*model.modules(), *adapter.modules()]}
    own = set(adapter.modules())
    moved = {buffer: buffer.clone() for buffer in adapter.buffers()} if training else {}
    for module in modes:
        module.training = training and module in own
    try:
        with torch.enable_grad(), same_draws():
            inputs = adapter.anatomy.example()
            found = adapter.anatomy.encode(inputs, inserted=adapter.tokens)
            return leaves((found.cls, found.prompts, found.patches, found.pooled))
    finally:
        adapter.forget()
        for module, mode in modes.items():
            module.training = mode
        for buffer, former in moved.items():
            buffer.data.copy_(former)


def same_draws() -> AbstractContextManager[None]:
    """Generators are left as they were."""
    kind = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return torch.random.fork_rng() if kind is None else torch.random.fork_rng(device_type=kind.type)


def _check_met(adapter: Adapter) -> None:
    missed = [path for path, pipe in adapter.pipes.items() if not pipe.met]
    missed += [r.map.path for r in adapter.replacements if not r.met]
    if missed:
        raise AnatomyError(
            f"the adapter at {listed(missed)} would do nothing: the backbone never passes there"
        )


def _check_connected(adapter: Adapter, reached: set[int]) -> None:
    dead = _dead(adapter, reached)
    if dead:
        raise AnatomyError(
            f"the adapter's {listed(dead)} would never train: nothing leads from it to the features"
        )


def _dead(adapter: Adapter, reached: set[int]) -> list[str]:
    named = adapter.named_parameters()
    return [name for name, p in named if p.requires_grad and id(p) not in reached]


def listed(names: list[str]) -> str:
    """The first three of some paths, and how many more there are."""
    shown = ", ".join(f"`{name}`" for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def leaves(outputs: Iterable[Tensor | None]) -> set[int]:
    """The ids of the tensors that gradients of these would reach."""
    stack = [o.grad_fn for o in outputs if o is not None and o.grad_fn is not None]
    seen, found = set(stack), set()
    while stack:
        node = stack.pop()
        if hasattr(node, "variable"):
            found.add(id(node.variable))
        for parent, _ in node.next_functions:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return found


def check_frozen(backbone: nn.Module, adapter: Adapter) -> None:
    """No parameter of the backbone trains except the adapter's own copies; every parameter of the
    adapter does."""
    own = {id(p) for p in adapter.parameters()}
    leaked = [n for n, p in backbone.named_parameters() if p.requires_grad and id(p) not in own]
    if leaked:
        raise AnatomyError(f"the method lets {listed(leaked)} of the backbone train; use `thaw`")
    idle = [n for n, p in adapter.named_parameters() if not p.requires_grad]
    if idle:
        raise AnatomyError(f"the adapter's {listed(idle)} does not require a gradient")
