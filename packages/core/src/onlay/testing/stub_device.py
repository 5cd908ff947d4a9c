"""A device that is not the CPU, without one: its tensors say that they lie elsewhere.

Their numbers lie on the CPU, so that they can be looked at; but an operation on one of them and on
a tensor of the CPU is refused, as CUDA refuses it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
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


class StubDevice(TorchDispatchMode):
    """While it is entered, tensors that are made on that device are such tensors."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})

    def moved(self, tensor: Tensor) -> Tensor:
        """There."""
        return Elsewhere(tensor.detach().clone())

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
