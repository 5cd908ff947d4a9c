"""Which adapters hang on one backbone. Only the active one has hooks and copies in place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from onlay.anatomy.adapter import Adapter
from onlay.errors import AnatomyError

_KEY = "_onlay_attachments"


class Attachments:
    """Lives in the backbone's instance dictionary while at least one adapter is attached."""

    def __init__(self, backbone: nn.Module) -> None:
        self.adapters: dict[str, Adapter] = {}
        self.active: str | None = None
        self.trained_before = [(p, p.requires_grad) for p in backbone.parameters()]
        backbone.requires_grad_(False)

    @classmethod
    def of(cls, backbone: nn.Module) -> Attachments:
        """Those of a backbone; freezes it when they are first asked for."""
        if _KEY not in vars(backbone):
            vars(backbone)[_KEY] = cls(backbone)
        return vars(backbone)[_KEY]

    def add(self, name: str, adapter: Adapter) -> None:
        """Hang an adapter on the backbone under a name that must be free, and activate it."""
        self.adapters[name] = adapter
        self.activate(name)

    def refuse_taken(self, name: str) -> None:
        if name in self.adapters:
            raise AnatomyError(
                f"this backbone already carries an adapter named `{name}`;"
                " detach it first or give another `name`"
            )

    def activate(self, name: str | None) -> None:
        """Let this adapter, or none, act on the backbone."""
        if name == self.active:
            return
        if self.active is not None:
            self.adapters[self.active].disengage()
        if name is not None:
            self.adapters[name].engage()
        self.active = name

    @contextmanager
    def without(self) -> Iterator[None]:
        """The bare backbone, for the length of a `with` block."""
        active = self.active
        self.activate(None)
        try:
            yield
        finally:
            self.activate(active)

    def remove(self, name: str, backbone: nn.Module) -> None:
        """Detach; with the last adapter the backbone's own `requires_grad` flags come back."""
        if self.active == name:
            self.activate(None)
        self.adapters.pop(name, None)
        if self.adapters:
            return
        for parameter, trained in self.trained_before:
            parameter.requires_grad_(trained)
        del vars(backbone)[_KEY]
