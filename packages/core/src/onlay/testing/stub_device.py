"""A device that is not the CPU, without one: its tensors say that they lie elsewhere.

Their numbers lie on the CPU, so that they can be looked at; but an operation on one of them and on
a tensor of the CPU is refused, as CUDA refuses it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only

from onlay.testing.checking import Broken

NAME = "xla"
"""What such a tensor says of itself: a device that every torch knows, autocast included."""

_OWN = "meta"
"""What torch's engine sees, which computes on no device of the other name unless there is one."""

_BRIDGES = ("_to_copy", "copy_", "index", "index_put", "index_put_")
"""What may take a tensor of the CPU, too: copies, and indices."""


class Elsewhere(Tensor):
    """A tensor that says so of itself."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> Elsewhere:
        made = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(_OWN),
            requires_grad=held.requires_grad,
        )
        made.held = held
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device(NAME)

    def data_ptr(self) -> int:
        return self.held.data_ptr()

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _computed(func, args, kwargs or {})


class _Called(TorchFunctionMode):
    """What is asked of the device by its name is asked of what torch's engine sees, for torch
    computes on no device that it was not built for; and what reads numbers gets them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args = tuple(
            _seen(a) if isinstance(a, torch.device) or func is Tensor.to else a for a in args
        )
        kwargs = dict(kwargs or {})
        if "device" in kwargs:
            kwargs["device"] = _seen(kwargs["device"])
        if func is Tensor.tolist and isinstance(args[0], Elsewhere):
            return args[0].held.tolist()
        if func in (Tensor.__getitem__, Tensor.__setitem__):
            args = (args[0], _indices(args[1]), *args[2:])
        if func in _OF_VALUES and kwargs.get("device") == torch.device(_OWN):
            own = kwargs.pop("device")
            return func(*args, **kwargs).to(own)
        return func(*args, **kwargs)


_OF_VALUES = (torch.tensor, torch.as_tensor, torch.asarray)
"""These write numbers into what they make before anybody can see it."""


def _indices(given: Any) -> Any:
    """Lists as tensors: of a list torch makes one where the indexed tensor lies."""
    if isinstance(given, tuple):
        return tuple(map(_indices, given))
    return torch.tensor(given) if isinstance(given, list) else given


def _seen(given: Any) -> Any:
    name = given.type if isinstance(given, torch.device) else given
    return torch.device(_OWN) if isinstance(name, str) and name == NAME else given


class StubDevice(TorchDispatchMode):
    """While it is entered, tensors that are made on that device are such tensors."""

    def __init__(self) -> None:
        super().__init__()
        self._called = _Called()

    def __enter__(self) -> StubDevice:
        self._called.__enter__()
        return super().__enter__()

    def __exit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        super().__exit__(exc_type, exc_val, exc_tb)
        self._called.__exit__(exc_type, exc_val, exc_tb)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})

    def moved(self, tensor: Tensor) -> Tensor:
        """There."""
        return Elsewhere(tensor.detach().clone())

    def all_moved(self, tree: Any) -> Any:
        """Every tensor of nested mappings and sequences."""
        return tree_map_only(Tensor, self.moved, tree)

    def brought(self, tensor: Tensor) -> Tensor:
        """Here."""
        given = tensor.detach()
        return given.held if isinstance(given, Elsewhere) else given


def there(model: nn.Module) -> None:
    """Move a module."""
    with torch.no_grad():
        model._apply(_gone)


def _gone(tensor: Tensor) -> Tensor:
    """There, once: a module that several others hold is moved as often as it is held."""
    given = tensor.detach()
    return given if isinstance(given, Elsewhere) else Elsewhere(given.clone())


def _computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    elsewhere = any(isinstance(tensor, Elsewhere) for tensor in tensors)
    _refuse_mixture(func, tensors)
    asked = kwargs.get("device")
    stays = elsewhere if asked is None else torch.device(asked).type in (NAME, _OWN)
    inner_args, inner_kwargs = tree_map_only(Elsewhere, lambda t: t.held, (args, kwargs))
    if asked is not None and stays:
        inner_kwargs["device"] = torch.device("cpu")
    found = func(*inner_args, **inner_kwargs)
    if not stays:
        return found
    wrapped = tree_map_only(Tensor, Elsewhere, found)
    return return_and_correct_aliasing(func, args, kwargs, wrapped)


def _refuse_mixture(func: Any, tensors: list[Tensor]) -> None:
    name = func.overloadpacket.__name__
    apart = {isinstance(t, Elsewhere) for t in tensors if t.ndim}
    if len(apart) > 1 and name not in _BRIDGES:
        raise Broken(f"`{name}` is given a tensor of the CPU beside one of another device")
