"""What this package registers; imports no torch."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Method


@hookimpl
def register_methods() -> Iterable[Method]:
    yield Method(
        name="my_ladder",
        config="onlay_example_ladder.config:LadderConfig",
        attach="onlay_example_ladder.adapter:attach",
        count="onlay_example_ladder.adapter:count",
        needs=frozenset({"sequence"}),
        refuses={"hierarchical": "one width and one number of tokens lead up the ladder"},
        traits=frozenset({"identity"}),
        examples=({"reduction": 2},),
        summary="a narrow transformer beside the backbone",
        citation="Sung et al., LST, NeurIPS 2022, arXiv:2206.06522",
    )
