"""What the modules of a method tell of themselves, asked so that a wrong answer is a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from onlay.errors import PluginError
from onlay.figures import Figures, united
from onlay.machine.guard import in_words
from onlay.model.losses import asked

if TYPE_CHECKING:
    from onlay.anatomy.adapter import Adapter


def figures_of(adapter: Adapter) -> Figures:
    """The figures of all modules, each asked once.

    Raises:
        PluginError: a module fails, gives something else, or a figure that another one gives.
    """
    parts = [told(each, Figures) for each in asked(adapter, "figures")]
    try:
        return united(parts)
    except AssertionError as error:
        raise PluginError(str(error)) from error


def told(method: Callable[..., Any], kind: type[Any], *given: Any) -> Any:
    """What a module's method gives, which has to be of a kind.

    Raises:
        PluginError: it fails, or gives something else; names class and method.
    """
    owner = type(getattr(method, "__self__", method)).__name__
    name = f"{owner}.{getattr(method, '__name__', '')}".rstrip(".")
    try:
        found = method(*given)
    except Exception as error:
        raise PluginError(f"`{name}` failed: {in_words(error)}") from error
    if not isinstance(found, kind):
        raise PluginError(f"`{name}` gives a `{type(found).__name__}` and not a `{kind.__name__}`")
    return found
