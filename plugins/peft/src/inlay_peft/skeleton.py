"""A backbone as peft sees it: the same names, the same values, nothing that computes.

peft replaces layers by wrappers of its own; it is given this tree, and never the backbone itself.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from inlay.anatomy.replacing import twin_of


class Skeleton(nn.Module):
    """Every module without children, under the name that it has in a network."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        for path, module in model.named_modules():
            if path and not module._modules:
                put(self, path, guarded(module))


def put(root: nn.Module, path: str, module: nn.Module) -> None:
    """Register `module` as `path`, with empty modules on the way."""
    *parents, name = path.split(".")
    for parent in parents:
        if parent not in root._modules:
            root.add_module(parent, nn.Module())
        root = root.get_submodule(parent)
    root.add_module(name, module)


def guarded(module: nn.Module) -> Any:
    """The same memory under parameters of its own, so that nobody can exchange the network's."""
    twin = twin_of(module)
    twin._parameters = {
        name: None if p is None else nn.Parameter(p.detach(), requires_grad=False)
        for name, p in module._parameters.items()
    }
    return twin
