"""What `onlay-arc` registers; imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from onlay.descriptors import Method
from onlay.hooks import hookimpl
from onlay_arc.presets import PRESETS

CITATION = (
    "Dong, Yan, Lin, Wang: Efficient Adaptation of Large Vision Transformer via Adapter"
    " Re-Composing. NeurIPS 2023. arXiv:2310.06234"
)


@hookimpl
def register_methods() -> Iterable[Method]:
    """ARC; without the MLP site it is the paper's ARC_att."""
    yield Method(
        name="arc",
        config="onlay_arc.config:ArcConfig",
        attach="onlay_arc.adapter:attach",
        count="onlay_arc.adapter:count",
        traits="onlay_arc.config:traits",
        examples=({"rank": 4}, {"rank": 2, "sites": ["attn.in"], "last_blocks": 1}),
        importer="onlay_arc.importer:read",
        presets=PRESETS,
        summary="one low-rank projection for all blocks, rescaled in each; merges away",
        citation=CITATION,
    )
