"""What this package registers; imports no torch, for every command of `onlay` reads it."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Optimizer


@hookimpl
def register_optimizers() -> Iterable[Optimizer]:
    """The optimizer, by import paths: they are followed when it is used."""
    yield Optimizer(
        name="my_optimizer",
        build="onlay_my_optimizer.optimizer:build",
        settings="onlay_my_optimizer.config:MyOptimizerConfig",
        summary="steps of one size, in the direction of a running mean's sign",
    )
