"""Which adapters hang on one backbone. Only the active one has hooks and copies in place.

Which one is active belongs to the call: a call takes its turn, and other threads wait for theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, RLock
from typing import Any
from weakref import WeakKeyDictionary

from torch import nn

from onlay.anatomy.adapter import Adapter
from onlay.anatomy.exchanged import Watched, refuse_exchanged
from onlay.anatomy.recomputed import Recomputed
from onlay.errors import AnatomyError

_KEY = "_onlay_attachments"
_FIRST = Lock()
_EMPTIED: WeakKeyDictionary[nn.Module, Attachments] = WeakKeyDictionary()
"""Those of backbones that carry nothing any more: models that were detached still hold them, and
must hear of what is attached next."""


class Attachments:
    """Lives in the backbone's instance dictionary while at least one adapter is attached."""

    def __init__(self, backbone: nn.Module) -> None:
        self.adapters: dict[str, Adapter] = {}
        self.active: str | None = None
        self.lock = RLock()
        self.bare = 0
        """How many `without` blocks are open."""
        self._freeze(backbone)

    def _freeze(self, backbone: nn.Module) -> None:
        self.trained_before = [(p, p.requires_grad) for p in backbone.parameters()]
        backbone.requires_grad_(False)

    @classmethod
    def of(cls, backbone: nn.Module) -> Attachments:
        """Those of a backbone; freezes it when they are first asked for."""
        with _FIRST:
            if _KEY not in vars(backbone):
                if (emptied := _EMPTIED.pop(backbone, None)) is None:
                    emptied = cls(backbone)
                else:
                    emptied._freeze(backbone)
                vars(backbone)[_KEY] = emptied
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

    def refuse_detached(self, name: str, adapter: Adapter) -> None:
        own = self.adapters.get(name)
        # Not `is`: who writes a program is handed a proxy of the module, with its dictionary.
        if own is None or vars(own) is not vars(adapter):
            raise AnatomyError(
                f"the adapter `{name}` is attached to nothing any more: `detach` has taken it off;"
                " call the backbone itself, or adapt it again"
            )

    def activate(self, name: str | None) -> None:
        """Let this adapter, or none, act on the backbone."""
        with self.lock:
            if name == self.active:
                return
            if self.active is not None:
                self.adapters[self.active].disengage()
                self.active = None
            if name is not None:
                self._engage(self.adapters[name], name)
                self.active = name

    @contextmanager
    def turn(self, name: str, adapter: Adapter, *, again: bool = False) -> Iterator[None]:
        """Nothing but this adapter acts on the backbone, whatever other threads ask of it.

        `again`: in a backward pass, which leaves active what it finds. It does not wait for the end
        of a `without` block, as that may be waiting for the backward pass.
        """
        if not self.lock.acquire(blocking=not (again and self.bare)):
            raise AnatomyError(
                f"a backward pass recomputes blocks with the adapter `{name}` while"
                " `disabled()` has it switched off; leave that `with` block first"
            )
        try:
            self.refuse_detached(name, adapter)
            former = self.active
            self.activate(name)
            if not again:
                refuse_exchanged(adapter)
            try:
                yield
            finally:
                if not again:
                    adapter.forget()
                if again or self.bare:
                    self.activate(former)
        finally:
            self.lock.release()

    @contextmanager
    def without(self) -> Iterator[None]:
        """The bare backbone, for the length of a `with` block; models that are called by other
        threads wait for its end."""
        with self.lock:
            active = self.active
            self.activate(None)
            self.bare += 1
            try:
                yield
            finally:
                self.bare -= 1
                self.activate(active if active in self.adapters else None)

    def remove(self, name: str, backbone: nn.Module) -> None:
        """Detach; with the last adapter the backbone's own `requires_grad` flags come back."""
        with self.lock:
            if self.active == name:
                self.activate(None)
            self.adapters.pop(name, None)
            if self.adapters:
                return
            for parameter, trained in self.trained_before:
                parameter.requires_grad_(trained)
            vars(backbone).pop(_KEY, None)
            self.trained_before.clear()
            self.stand_by(backbone)

    def stand_by(self, backbone: nn.Module) -> None:
        """Of a backbone that carries nothing any more: be the one that is asked for next."""
        if not self.adapters:
            _EMPTIED[backbone] = self

    def _engage(self, adapter: Adapter, name: str) -> None:
        if len(self.adapters) > 1:
            _refuse_own_checkpointing(adapter.anatomy.model)
        adapter.engage()
        if adapter.watched is None:
            adapter.watched = Watched(adapter.anatomy.model, adapter.undos)
        if adapter.recomputes:
            for block in adapter.anatomy.blocks:
                turn = Recomputed(self, name, adapter, block)
                adapter.undos.append(turn.install())

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, lock=RLock())


def _refuse_own_checkpointing(backbone: nn.Module) -> None:
    if any(getattr(module, "grad_checkpointing", False) for module in backbone.modules()):
        raise AnatomyError(
            "the backbone recomputes its blocks with whatever adapter acts then, and it carries"
            " several: call `set_grad_checkpointing(False)` on the backbone and"
            " `set_grad_checkpointing()` on each adapted model instead"
        )
