"""What this package registers; imports no torch."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Optimizer


@hookimpl
def register_optimizers() -> Iterable[Optimizer]:
    yield Optimizer(
        name="sam",
        build="onlay_example_sam.sam:build",
        settings="onlay_example_sam.config:SamConfig",
        summary="AdamW by the gradient at the worst place nearby",
    )
