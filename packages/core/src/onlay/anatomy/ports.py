"""How the tensor of a site is reached: ports install hooks that pass it through a pipe.

Every hook is a bound method, so that `copy.deepcopy` of an adapted model rebinds it to the copy.
A pipe is `pipe(x) -> x'`; while its adapter is not the active one it returns `x` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from onlay.errors import AnatomyError

Pipe = Callable[[Tensor], Tensor]


class Undo(Protocol):
    """What an installation leaves behind so that detach can take it back (`RemovableHandle` is
    one)."""

    def remove(self) -> None:
        """Take it back; called once, in reverse order of installation."""
        ...


class Port(Protocol):
    """Where a tensor lies in a network."""

    def install(self, pipe: Pipe) -> list[Undo]:
        """Pass the tensor through `pipe` from now on."""
        ...


class Override:
    """An instance attribute that stands before the class's (or the former) one until removed."""

    def __init__(self, owner: Any, name: str, value: Any) -> None:
        self.owner, self.name = owner, name
        self.former = vars(owner).get(name, None)
        self.had = name in vars(owner)
        setattr(owner, name, value)

    def remove(self) -> None:
        """Put the former attribute back, or none where there was none."""
        if self.had:
            setattr(self.owner, self.name, self.former)
        else:
            delattr(self.owner, self.name)


def before_others(undos: Iterable[Undo]) -> None:
    """Hooks among these come before those that others registered on the same modules, whenever that
    was: others see, and change, what the adapted network computes."""
    handles = [undo for undo in undos if isinstance(undo, RemovableHandle)]
    own = {handle.id for handle in handles}
    for handle in handles:
        hooks = handle.hooks_dict_ref()
        assert hooks is not None, "the module that it is on is there"
        for key in [key for key in hooks if key not in own]:
            hooks.move_to_end(key)


class InputOf:
    """The first positional argument of a module."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def install(self, pipe: Pipe) -> list[Undo]:
        return [self.module.register_forward_pre_hook(_OnInput(pipe).hook)]


class GivenTo(InputOf):
    """What a network is given, at the module that reads it first: pixels, points. Layouts are told
    from its shape, so nothing that acts there may change it."""

    def install(self, pipe: Pipe) -> list[Undo]:
        return super().install(_SameShape(pipe).through)


class OutputOf:
    """What a module returns."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def install(self, pipe: Pipe) -> list[Undo]:
        return [self.module.register_forward_hook(_OnOutput(pipe).hook)]


class ResidualInto:
    """A residual stream that `reader` reads and that a later sum carries on: `x + carrier(...
    reader(x))`.

    The reader gets x' and the carrier's output is moved by x' - x, so that the sum is x' + f(x').
    """

    def __init__(self, reader: nn.Module, carrier: nn.Module) -> None:
        self.reader, self.carrier = reader, carrier

    def install(self, pipe: Pipe) -> list[Undo]:
        state = _Residual(pipe)
        return [
            self.reader.register_forward_pre_hook(state.read),
            self.carrier.register_forward_hook(state.carry),
        ]


class _OnInput:
    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe

    def hook(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self.pipe(args[0]), *args[1:])


class _SameShape:
    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe

    def through(self, x: Tensor) -> Tensor:
        changed = self.pipe(x)
        if changed.shape != x.shape:
            raise AnatomyError(
                f"what acts at `input` must keep its shape: it was given {tuple(x.shape)} and"
                f" makes {tuple(changed.shape)} of it"
            )
        return changed


class _OnOutput:
    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe

    def hook(self, module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        return self.pipe(output)


class _Residual:
    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
        self.change: Tensor | None = None

    def read(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        rewritten = self.pipe(args[0])
        self.change = None if rewritten is args[0] else rewritten - args[0]
        return (rewritten, *args[1:])

    def carry(self, module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        change, self.change = self.change, None
        return output if change is None else output + change
