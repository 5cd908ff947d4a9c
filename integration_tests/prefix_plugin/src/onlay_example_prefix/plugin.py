"""What this package registers; imports no torch."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Method


@hookimpl
def register_methods() -> Iterable[Method]:
    yield Method(
        name="my_prefix",
        config="onlay_example_prefix.config:PrefixConfig",
        attach="onlay_example_prefix.adapter:attach",
        count="onlay_example_prefix.adapter:count",
        needs=frozenset({"extension"}),
        summary="learned keys and values for the attention of every block",
        citation="Li and Liang, Prefix-Tuning, ACL 2021, arXiv:2101.00190",
    )
