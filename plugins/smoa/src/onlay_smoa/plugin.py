"""What `onlay-smoa` registers; imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from onlay.descriptors import Method
from onlay.hooks import hookimpl
from onlay_smoa.presets import PRESETS

CITATION = (
    "Li, Ye, Huang, Zhang, Chen, He, Fan, Ouyang: Adapter-X: A Novel General Parameter-Efficient"
    " Fine-Tuning Framework for Vision. 2024. arXiv:2406.03051"
)


@hookimpl
def register_methods() -> Iterable[Method]:
    """Adapter-X in its three forms."""
    yield Method(
        name="smoa",
        config="onlay_smoa.config:SmoaConfig",
        attach="onlay_smoa.adapter:attach",
        count="onlay_smoa.adapter:count",
        examples=(
            {"rank": 2, "experts": 4},
            {"rank": 2, "experts": 4, "base": "adapter", "jitter": 0.1, "prompts": False},
            {"rank": 2, "experts": 4, "base": "dapt", "sharing": "none"},
        ),
        refusal="onlay_smoa.config:refusal",
        quiet={"position": "only networks for points that have such a setting change with it"},
        unimportable="its authors published neither code nor checkpoints",
        presets=PRESETS,
        summary="one routed library of small adapters for all blocks, with norms and prompts",
        dynamic="the expert of each part of a token, prompts",
        citation=CITATION,
    )
