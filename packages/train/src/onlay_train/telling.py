"""Plugins are told by every process; where one of them fails in one process, all of them stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accelerate import Accelerator
from accelerate.utils import gather_object

from onlay.errors import OnlayError, PluginError, RunError


def tell(accelerator: Accelerator, hook: Callable[..., None], *facts: Any) -> None:
    """Call a hook; every process must.

    Raises:
        PluginError: a plugin failed here or in another process, which would else be waited for.
        RunError: likewise, a checkpoint could not be written.
    """
    failure: OnlayError | None = None
    try:
        hook(*facts)
    except OnlayError as error:
        failure = error
    if accelerator.num_processes > 1:
        own = failure and (isinstance(failure, PluginError), str(failure))
        heard = [told for told in gather_object([own]) if told]
        if heard and failure is None:
            plugin, text = heard[0]
            raise PluginError(text) if plugin else RunError(text)
    if failure is not None:
        raise failure
