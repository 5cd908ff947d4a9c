"""What this package registers; imports no torch."""

from collections.abc import Iterable

from inlay import hookimpl
from inlay.descriptors import Method


@hookimpl
def register_methods() -> Iterable[Method]:
    yield Method(
        name="lora",
        config="inlay_example_lora.config:LoraConfig",
        attach="inlay_example_lora.adapter:attach",
        count="inlay_example_lora.adapter:count",
        traits=frozenset({"identity", "foldable"}),
        summary="low-rank updates of q, k and v",
    )
