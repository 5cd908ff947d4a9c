"""What this package registers; imports no torch."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Method


@hookimpl
def register_methods() -> Iterable[Method]:
    yield Method(
        name="dispatch",
        config="onlay_example_dispatch.config:DispatchConfig",
        attach="onlay_example_dispatch.adapter:attach",
        count="onlay_example_dispatch.adapter:count",
        needs=frozenset({"sequence"}),
        refuses={"hierarchical": "this miniature routes sequences of tokens, not maps"},
        summary="only some tokens pass the frozen MLP of a block",
        citation="Zhao et al., Dynamic Tuning, NeurIPS 2024, arXiv:2403.11808",
    )
