"""Plugins are told by every process; where one of them fails in one process, all of them stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accelerate import Accelerator
from accelerate.utils import gather_object

from onlay.errors import PluginError


def tell(accelerator: Accelerator, hook: Callable[..., None], *facts: Any) -> None:
    """Call a hook; every process must.

    Raises:
        PluginError: a plugin failed here or in another process, which would else be waited for.
    """
    failure = None
    try:
        hook(*facts)
    except PluginError as error:
        failure = error
    if accelerator.num_processes > 1:
        heard = [text for text in gather_object([failure and str(failure)]) if text]
        if heard and failure is None:
            raise PluginError(heard[0])
    if failure is not None:
        raise failure
