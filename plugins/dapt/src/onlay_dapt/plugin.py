"""What `onlay-dapt` registers; imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from onlay.descriptors import Method
from onlay.hooks import hookimpl
from onlay_dapt.presets import PRESETS

if TYPE_CHECKING:
    from onlay.config.train import TrainConfig
    from onlay.model.adapted import AdaptedModel

CITATION = (
    "Zhou, Liang, Xu, Zhu, Xu, Zou, Bai: Dynamic Adapter Meets Prompt Tuning: Parameter-Efficient"
    " Transfer Learning for Point Cloud Analysis. CVPR 2024. arXiv:2403.01439"
)


@hookimpl
def register_methods() -> Iterable[Method]:
    """DAPT."""
    yield Method(
        name="dapt",
        config="onlay_dapt.config:DaptConfig",
        attach="onlay_dapt.adapter:attach",
        count="onlay_dapt.adapter:count",
        examples=(
            {"rank": 4},
            {"rank": 4, "scale_and_shift": False, "prompt_pooling": "max", "dropout": 0.1},
            {"rank": 4, "prompts": False},
        ),
        quiet={
            "position": "only networks for points that have such a setting change with it",
            "freeze_bn": "only networks with batch norms change with it",
        },
        importer="onlay_dapt.importer:read",
        presets=PRESETS,
        needs=frozenset({"sequence"}),
        refusal="onlay_dapt.config:refusal",
        summary="adapters scaled for each token, scale-and-shift, and prompts made inside",
        dynamic="scales of tokens, prompts",
        citation=CITATION,
    )


@hookimpl
def make_param_groups(model: AdaptedModel, config: TrainConfig) -> list[dict[str, Any]] | None:
    """DAPT's runs decay what the authors' do; with `filter_bias_and_bn` off everything decays."""
    if model.method.name != "dapt" or not config.filter_bias_and_bn:
        return None
    from onlay_dapt.decay import param_groups

    return param_groups(model, config)
