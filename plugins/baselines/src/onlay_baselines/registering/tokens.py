"""Tokens, prefixes, gates, and networks at the side."""

from __future__ import annotations

from onlay.descriptors import Method
from onlay_baselines import presets

CONFIG = "onlay_baselines.config.tokens"

TOKENS: tuple[Method, ...] = (
    Method(
        name="vpt",
        config=f"{CONFIG}:VptConfig",
        attach="onlay_baselines.vpt:attach",
        count="onlay_baselines.vpt:count",
        needs=frozenset({"insertion"}),
        examples=(
            {"prompts": 4},
            {"prompts": 4, "kind": "shallow", "dropout": 0.1},
        ),
        presets=presets.VPT,
        summary="learnt tokens behind the class token",
        citation="Jia et al.: Visual Prompt Tuning. ECCV 2022. arXiv:2203.12119",
    ),
    Method(
        name="prefix",
        config=f"{CONFIG}:PrefixConfig",
        attach="onlay_baselines.prefix:attach",
        count="onlay_baselines.prefix:count",
        needs=frozenset({"extension"}),
        examples=({"rows": 4},),
        quiet={"stored": "only `flat` is offered"},
        summary="learnt keys and values in every attention",
        citation="Li, Liang: Prefix-Tuning: Optimizing Continuous Prompts for Generation. ACL"
        " 2021. arXiv:2101.00190",
    ),
    Method(
        name="unipelt",
        config=f"{CONFIG}:UnipeltConfig",
        attach="onlay_baselines.unipelt:attach",
        count="onlay_baselines.unipelt:count",
        traits="onlay_baselines.traits:of_unipelt",
        examples=(
            {"bottleneck": 8, "rank": 4},
            {"bottleneck": 8, "rank": 4, "parts": "apl", "rows": 4, "prefix_gate_bias": -4.0},
        ),
        summary="adapter, prefix and LoRA, each behind a gate that reads the input",
        dynamic="the gates",
        citation="Mao et al.: UniPELT: A Unified Framework for Parameter-Efficient Language Model"
        " Tuning. ACL 2022. arXiv:2110.07577",
    ),
    Method(
        name="ladder",
        config=f"{CONFIG}:LadderConfig",
        attach="onlay_baselines.ladder:attach",
        count="onlay_baselines.ladder:count",
        needs=frozenset({"insertion"}),
        examples=({"reduction": 2}, {"reduction": 4, "temperature": 1.0}),
        summary="a narrow network beside the backbone",
        citation="Sung et al.: LST: Ladder Side-Tuning for Parameter and Memory Efficient Transfer"
        " Learning. NeurIPS 2022. arXiv:2206.06522",
    ),
)
