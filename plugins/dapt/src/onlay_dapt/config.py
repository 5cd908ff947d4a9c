"""Settings of DAPT.

Sources: the paper (arXiv:2403.01439) and the authors' code (github.com/LMD0311/DAPT, commit
41aa0bc).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from onlay.settings import Config


class DaptConfig(Config):
    """Dynamic Adapter meets Prompt Tuning: per-token scaled adapters, scale-and-shift and internal
    prompts."""

    name: Literal["dapt"] = "dapt"

    rank: PositiveInt = 64
    """Width r of the adapters' bottleneck; 64 in the authors' configs for ScanObjectNN, 72 for
    ModelNet40."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout in the bottleneck, behind its GELU; 0.5 on OBJ_BG, 0.2 on PB_T50_RS, else 0 (the
    authors' configs)."""

    scale_and_shift: bool = True
    """The authors' TFTS: a scale and a shift per channel at six sites of every block, on its
    prompt, on the patch tokens and behind the last norm. Before the activation of a gated MLP they
    stand on gate and value alike: a reading, since the authors' networks have none."""

    prompts: bool = True
    """Internal prompts: after every block one token, made of what its adapter put out, is
    inserted behind the class token; they accumulate. `false` inserts none."""

    prompt_pooling: Literal["mean", "max"] = "mean"
    """How the tokens of a block become its prompt. `mean`, over all tokens, class token and earlier
    prompts included, is the authors'; `max` is Onlay's own."""

    score_bias: float = 0.0
    """Where the bias of the tokens' score starts; 0 is the authors'. At 1 every adapter starts open
    for all tokens, with a scale of about 1. That start is Onlay's own."""

    position: Literal["once", "every_block", "backbone"] = "once"
    """Where a point cloud's position embeddings are added: `once`, before the first block, as the
    authors' code does; `every_block`, as the backbones were pretrained, where inserted tokens get
    none; or as the backbone is configured. Image ViTs have no such setting and keep their way."""

    freeze_bn: bool = False
    """Keep the statistics of the frozen network's batch norms. In the authors' code they drift
    while training (`false`); the moved statistics are then part of the bundle. They also drift
    where the backbone's own `freeze_bn` is off."""


def refusal(config: DaptConfig, provides: frozenset[str]) -> str:
    """Prompts need room; without them DAPT runs on every sequence."""
    if not config.prompts or "insertion" in provides:
        return ""
    return (
        "its attention works in windows of a fixed number of tokens, where the prompts that DAPT"
        " inserts after every block have no place; `method.prompts: false` leaves them out"
    )
