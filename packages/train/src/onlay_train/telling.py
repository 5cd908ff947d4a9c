"""Plugins are told by every process; where one of them fails in one process, all of them stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn

from onlay.errors import OnlayError, PluginError, RunError
from onlay_train.seeding import generator_states, restore_generators


def tell(accelerator: Accelerator, hook: Callable[..., None], *facts: Any) -> None:
    """Call a hook; every process must. What a plugin draws there, and whether it sets modules to
    evaluation, changes nothing of the training.

    Raises:
        PluginError: a plugin failed here or in another process, which would else be waited for.
        RunError: likewise, a checkpoint could not be written.
    """
    failure: OnlayError | None = None
    try:
        with _undisturbed(facts):
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


@contextmanager
def _undisturbed(facts: Sequence[Any]) -> Iterator[None]:
    """Generators, and the modes of what is told of, are afterwards as they were."""
    states = generator_states()
    models = [fact for fact in facts if isinstance(fact, nn.Module)]
    modes = [(module, module.training) for model in models for module in model.modules()]
    try:
        yield
    finally:
        restore_generators(states)
        for module, training in modes:
            module.training = training
