"""Compiled models take turns too: around what is compiled, since a compiler's guards look at hooks
and copies before the first line of `forward`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, MethodType
from typing import TYPE_CHECKING, Any

from torch._C._dynamo.eval_frame import set_eval_frame

try:  # importing torch._dynamo takes a second or more
    from torch._C._dynamo.eval_frame import (
        _FrameAction,
        _FrameExecStrategy,
        set_code_exec_strategy,
    )
except ImportError:  # torch before 2.7
    from torch._dynamo.eval_frame import skip_code
else:

    def skip_code(code: CodeType) -> None:
        strategy = _FrameExecStrategy(_FrameAction.SKIP, _FrameAction.DEFAULT)
        set_code_exec_strategy(code, strategy)


if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel


def called_in_turn(model: AdaptedModel) -> MethodType:
    """What `torch.compile(model)` finds as the model's `__call__`, and runs as it is; the model's
    own call inside is compiled. A call without a compiler never comes here."""
    return MethodType(_wrapped_call_impl, model)


def _wrapped_call_impl(model: AdaptedModel, *args: Any, **kwargs: Any) -> Any:
    """Named like torch's own, since a compiler wraps and compiles what has another name."""
    turn = _uncompiled(model.attachments.turn, model.name, model.adapter)
    _uncompiled(turn.__enter__)
    try:
        return type(model).__call__(model, *args, **kwargs)
    finally:
        _uncompiled(turn.__exit__, None, None, None)


def _uncompiled(function: Callable[..., Any], *args: Any) -> Any:
    """As `torch.compiler.disable` does it, whose own frames `fullgraph=True` does not let pass."""
    compiler = set_eval_frame(None)
    try:
        return function(*args)
    finally:
        set_eval_frame(compiler)


for _frame in (_wrapped_call_impl, _uncompiled):
    skip_code(_frame.__code__)


class InTurn:
    """A call that was compiled in place (`model.compile()`)."""

    def __init__(self, model: AdaptedModel, call: Callable[..., Any]) -> None:
        self.model, self.call = model, call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with self.model.attachments.turn(self.model.name, self.model.adapter):
            return self.call(*args, **kwargs)
