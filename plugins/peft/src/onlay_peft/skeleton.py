"""A backbone as peft sees it: the same names, the same values, nothing that computes.

peft replaces layers by wrappers of its own, and some of its initialisations (PiSSA, OLoRA) write to
the layer that they wrap. So it is given this tree of copies for as long as it works, and never the
backbone itself.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from torch import nn

from onlay.anatomy.replacing import twin_of


class Skeleton(nn.Module):
    """Every module without children, under the name that it has in a network.

    `wrapped` names those that peft will wrap, if that is known; the others share their memory.
    """

    def __init__(self, model: nn.Module, wrapped: Container[str] | None = None) -> None:
        super().__init__()
        for path, module in model.named_modules():
            if path and not module._modules:
                put(self, path, guarded(module, copied=wrapped is None or path in wrapped))


def put(root: nn.Module, path: str, module: nn.Module) -> None:
    """Register `module` as `path`, with empty modules on the way."""
    *parents, name = path.split(".")
    for parent in parents:
        if parent not in root._modules:
            root.add_module(parent, nn.Module())
        root = root.get_submodule(parent)
    root.add_module(name, module)


def guarded(module: nn.Module, *, copied: bool) -> Any:
    """A twin whose parameters are its own, so that nobody can exchange the network's."""
    twin = twin_of(module)
    twin._parameters = dict.fromkeys(module._parameters)
    for name, parameter in module._parameters.items():
        if parameter is not None:
            tensor = parameter.detach().clone() if copied else parameter.detach()
            twin._parameters[name] = nn.Parameter(tensor, requires_grad=False)
    return twin
