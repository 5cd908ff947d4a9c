"""Hooks as methods of the host, with the arguments and the types of their specifications."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


class HookMethod(Generic[_Asked, _Answer]):
    """A hook that is called as a method of whichever host has this attribute."""

    def __init__(self, spec: Callable[_Asked, Any], way: str) -> None:
        self.name, self.way, self.__doc__ = spec.__name__, way, spec.__doc__
        self.signature = inspect.signature(spec)

    def __get__(self, host: Any, owner: type | None = None) -> Callable[_Asked, _Answer]:
        def call(*args: _Asked.args, **kwargs: _Asked.kwargs) -> _Answer:
            facts = self.signature.bind(*args, **kwargs).arguments
            return getattr(host, self.way)(self.name, **facts)

        call.__name__, call.__doc__ = self.name, self.__doc__
        vars(call)["__signature__"] = self.signature
        return call


def told(spec: Callable[_Asked, None]) -> HookMethod[_Asked, None]:
    """Tells every plugin."""
    return HookMethod(spec, "_tell")


def decided(spec: Callable[_Asked, _Answer | None]) -> HookMethod[_Asked, _Answer]:
    """Gives the answer of the first plugin that has one."""
    return HookMethod(spec, "_decide")


def may_decide(spec: Callable[_Asked, _Answer | None]) -> HookMethod[_Asked, _Answer | None]:
    """Likewise, or `None` where no plugin has one."""
    return HookMethod(spec, "_decided")
