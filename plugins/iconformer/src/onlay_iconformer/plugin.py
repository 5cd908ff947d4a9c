"""What `onlay-iconformer` registers; imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from onlay.descriptors import Method
from onlay.hooks import hookimpl
from onlay_iconformer.presets import PRESETS

CITATION = (
    "Jo, Choi, Cho, Min: iConFormer: Dynamic Parameter-Efficient Tuning with Input-Conditioned"
    " Adaptation. 2024. arXiv:2409.02838"
)


@hookimpl
def register_methods() -> Iterable[Method]:
    """iConFormer."""
    yield Method(
        name="iconformer",
        config="onlay_iconformer.config:IconformerConfig",
        attach="onlay_iconformer.adapter:attach",
        count="onlay_iconformer.adapter:count",
        refusal="onlay_iconformer.config:refusal",
        traits=frozenset({"identity"}),
        examples=(
            {"rank": 4},
            {"rank": 16, "generator": "se", "kernel_norm": "filter", "placement": "after_ffn"},
            {"rank": 4, "generator": "conv_pool", "prefix_tokens": "centre_tap"},
            {"rank": 4, "generator": "static", "placement": "after_attn", "learnable_scale": True},
        ),
        unimportable="its authors published neither code nor checkpoints",
        presets=PRESETS,
        summary="adapters whose convolution kernels are generated from the input",
        dynamic="the kernels",
        citation=CITATION,
    )
