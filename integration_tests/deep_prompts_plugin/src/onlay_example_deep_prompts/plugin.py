"""What this package registers; imports no torch."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Method


@hookimpl
def register_methods() -> Iterable[Method]:
    yield Method(
        name="deep_prompts",
        config="onlay_example_deep_prompts.config:DeepPromptsConfig",
        attach="onlay_example_deep_prompts.adapter:attach",
        count="onlay_example_deep_prompts.adapter:count",
        needs=frozenset({"insertion"}),
        summary="learned tokens that every block gets anew",
        citation="Jia et al., Visual Prompt Tuning, ECCV 2022, arXiv:2203.12119",
    )
