"""What this package registers; imports no torch, for every command of `onlay` reads it."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Method


@hookimpl
def register_methods() -> Iterable[Method]:
    """The method, by import paths: they are followed when it is used."""
    yield Method(
        name="my_method",
        config="onlay_my_method.config:MyMethodConfig",
        attach="onlay_my_method.adapter:attach",
        count="onlay_my_method.adapter:count",
        summary="a scaled low-rank branch beside q, k and v",
        # What the backbone must provide: `sequence`, `grid`, `points`, `class_token`, ...
        needs=frozenset(),
        # What the checks hold it to: it starts as the bare backbone and merges exactly.
        traits=frozenset({"identity", "foldable"}),
        # Settings that the checks try, the usual ones first.
        examples=({}, {"rank": 1}),
        # The paper, as `onlay explain` and model cards are to cite it.
        citation="",
    )
