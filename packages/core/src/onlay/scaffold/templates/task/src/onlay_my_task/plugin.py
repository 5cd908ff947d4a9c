"""What this package registers; imports no torch, for every command of `onlay` reads it."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Task


@hookimpl
def register_tasks() -> Iterable[Task]:
    """The task, by import paths: they are followed when it is used."""
    yield Task(
        name="my_task",
        config="onlay_my_task.config:MyTaskConfig",
        build="onlay_my_task.head:build",
        summary="any number of classes for each input",
        # What the backbone must provide: `grid`, `points`, `class_token`, ...
        needs=frozenset(),
        # Settings that the checks try, and what they are tried on.
        examples=({}, {"dropout": 0.5, "threshold": 0.3}),
        example="onlay_my_task.example:example",
    )
