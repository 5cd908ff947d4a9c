"""What this package registers; imports no torch."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Method


@hookimpl
def register_methods() -> Iterable[Method]:
    yield Method(
        name="my_lora",
        config="onlay_example_lora.config:LoraConfig",
        attach="onlay_example_lora.adapter:attach",
        count="onlay_example_lora.adapter:count",
        traits=frozenset({"identity", "foldable"}),
        summary="low-rank updates of q, k and v",
    )
