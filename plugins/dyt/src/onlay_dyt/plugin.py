"""What `onlay-dyt` registers; imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from onlay.descriptors import Method
from onlay.hooks import hookimpl
from onlay_dyt.presets import PRESETS


@hookimpl
def register_methods() -> Iterable[Method]:
    """Dynamic Tuning."""
    yield Method(
        name="dyt",
        config="onlay_dyt.config:DytConfig",
        attach="onlay_dyt.adapter:attach",
        count="onlay_dyt.adapter:count",
        needs=frozenset({"sequence"}),
        examples=(
            {"bottleneck": 8},
            {"bottleneck": 8, "experts": 3, "teacher": False, "rate": 0.7},
            {"bottleneck": 8, "experts": 2, "expert_gate": "sigmoid", "dropout": 0.0},
        ),
        presets=PRESETS,
        unimportable="their code has no licence, and its files are not read",
        summary="adapters beside an MLP that only some tokens pass",
        dynamic="which tokens pass the MLP",
        citation="Zhao et al.: Dynamic Tuning Towards Parameter and Inference Efficiency for ViT"
        " Adaptation. NeurIPS 2024. arXiv:2403.11808",
    )
