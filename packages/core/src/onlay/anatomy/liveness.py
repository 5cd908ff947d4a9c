"""Attach proves itself alive: every site is met, every trainable tensor is in the graph.

Liveness is about the graph, not about magnitudes: LayerScale at 1e-5 and norms that start at zero
hide any effect at initialisation, and a zero up-projection hides its down-projection. So the graph
behind the features is walked.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from onlay.anatomy.adapter import Adapter
from onlay.errors import AnatomyError
from onlay.features import Features


def prove_alive(adapter: Adapter) -> None:
    """Run the backbone forward once on a random example and walk the graph behind its features.

    Raises:
        AnatomyError: a site was never met, or a trainable tensor has no path to the features; names
            them.
    """
    for pipe in adapter.pipes.values():
        pipe.met = False
    for replacement in adapter.replacements:
        replacement.met = False
    model = adapter.anatomy.model
    modes = {module: module.training for module in [*model.modules(), *adapter.modules()]}
    for module in modes:
        module.training = False
    try:
        with torch.enable_grad():
            features = adapter.anatomy.encode(adapter.anatomy.example(), inserted=adapter.tokens)
    finally:
        for module, mode in modes.items():
            module.training = mode
    _check_met(adapter)
    _check_connected(adapter, features)


def _check_met(adapter: Adapter) -> None:
    missed = [path for path, pipe in adapter.pipes.items() if not pipe.met]
    missed += [r.map.path for r in adapter.replacements if not r.met]
    if missed:
        raise AnatomyError(
            f"the adapter at {_listed(missed)} would do nothing: the backbone never passes there"
        )


def _check_connected(adapter: Adapter, features: Features) -> None:
    reached = _leaves(features)
    dead = [
        name for name, p in adapter.named_parameters() if p.requires_grad and id(p) not in reached
    ]
    if dead:
        raise AnatomyError(
            f"the adapter's {_listed(dead)} would never train:"
            " nothing leads from it to the features"
        )


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _leaves(features: Features) -> set[int]:
    outputs: list[Tensor | None] = [
        features.cls,
        features.prompts,
        features.patches,
        features.pooled,
    ]
    stack = [o.grad_fn for o in outputs if o is not None and o.grad_fn is not None]
    seen, leaves = set(stack), set()
    while stack:
        node = stack.pop()
        if hasattr(node, "variable"):
            leaves.add(id(node.variable))
        for parent, _ in node.next_functions:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return leaves


def check_frozen(backbone: nn.Module, adapter: Adapter) -> None:
    """No parameter of the backbone trains except the adapter's own copies; every parameter of the
    adapter does."""
    own = {id(p) for p in adapter.parameters()}
    leaked = [n for n, p in backbone.named_parameters() if p.requires_grad and id(p) not in own]
    if leaked:
        raise AnatomyError(f"the method lets {_listed(leaked)} of the backbone train; use `thaw`")
    idle = [n for n, p in adapter.named_parameters() if not p.requires_grad]
    if idle:
        raise AnatomyError(f"the adapter's {_listed(idle)} does not require a gradient")
