"""Small networks beside, behind or in front of frozen parts."""

from __future__ import annotations

from onlay.descriptors import Method
from onlay_baselines import presets

CONFIG = "onlay_baselines.config.bottlenecks"
IDENTITY = frozenset({"identity"})
FOLDABLE = frozenset({"foldable"})

BOTTLENECKS: tuple[Method, ...] = (
    Method(
        name="adaptformer",
        config=f"{CONFIG}:AdaptformerConfig",
        attach="onlay_baselines.adaptformer:attach",
        count="onlay_baselines.adaptformer:count",
        traits=IDENTITY,
        examples=({"bottleneck": 8}, {"bottleneck": 8, "bias": False, "dropout": 0.0}),
        presets=presets.ADAPTFORMER,
        summary="a bottleneck beside each MLP",
        citation="Chen et al.: AdaptFormer: Adapting Vision Transformers for Scalable Visual"
        " Recognition. NeurIPS 2022. arXiv:2205.13535",
    ),
    Method(
        name="adapter",
        config=f"{CONFIG}:AdapterConfig",
        attach="onlay_baselines.adapter:attach",
        count="onlay_baselines.adapter:count",
        traits="onlay_baselines.traits:of_adapter",
        examples=(
            {"bottleneck": 8},
            {"bottleneck": 8, "kind": "pfeiffer", "init": "zero_up"},
            {"bottleneck": 8, "norms": False},
        ),
        presets=presets.ADAPTER,
        summary="bottlenecks in sequence behind attention and MLP (Houlsby, Pfeiffer)",
        citation="Houlsby et al.: Parameter-Efficient Transfer Learning for NLP. ICML 2019."
        " arXiv:1902.00751. Pfeiffer et al.: AdapterFusion. EACL 2021. arXiv:2005.00247",
    ),
    Method(
        name="convpass",
        config=f"{CONFIG}:ConvpassConfig",
        attach="onlay_baselines.convpass:attach",
        count="onlay_baselines.convpass:count",
        needs=frozenset({"grid"}),
        traits=IDENTITY,
        examples=(
            {"hidden": 8},
            {"hidden": 8, "conv_init": "xavier", "scale": 10.0, "sites": ["attn"]},
            {"hidden": 8, "drop_path": 0.3, "dropout": 0.0},
        ),
        presets=presets.CONVPASS,
        summary="small convolutions beside attention and MLP",
        citation="Jie, Deng: Convolutional Bypasses Are Better Vision Transformer Adapters. 2022."
        " arXiv:2207.07039",
    ),
    Method(
        name="repadapter",
        config=f"{CONFIG}:RepadapterConfig",
        attach="onlay_baselines.repadapter:attach",
        count="onlay_baselines.repadapter:count",
        traits=IDENTITY | FOLDABLE,
        examples=(
            {"bottleneck": 8},
            {"bottleneck": 8, "groups": 4, "scale": 0.5, "sparsity": 1.0},
            {"bottleneck": 8, "sites": ["mlp"], "dropout": 0.0},
        ),
        presets=presets.REPADAPTER,
        summary="linear bottlenecks in front of attention and MLP, which merge",
        citation="Luo et al.: Towards Efficient Visual Adaption via Structural"
        " Re-parameterization. 2023. arXiv:2302.08106",
    ),
    Method(
        name="mona",
        config=f"{CONFIG}:MonaConfig",
        attach="onlay_baselines.mona:attach",
        count="onlay_baselines.mona:count",
        needs=frozenset({"grid"}),
        examples=({"bottleneck": 8}, {"bottleneck": 8, "dropout": 0.0}),
        presets=presets.MONA,
        summary="bottlenecks with three depthwise convolutions behind both residual sums",
        citation="Yin et al.: 5%>100%: Breaking Performance Shackles of Full Fine-Tuning on Visual"
        " Recognition Tasks. CVPR 2025. arXiv:2408.08345",
    ),
    Method(
        name="adalink",
        config=f"{CONFIG}:AdalinkConfig",
        attach="onlay_baselines.adalink:attach",
        count="onlay_baselines.adalink:count",
        traits=IDENTITY,
        examples=(
            {"rank": 8},
            {"rank": 8, "activation": "gelu", "bias": False},
            {"rank": 8, "site": "tokens.in"},
        ),
        summary="one bottleneck in front of the first block",
        citation="Wang et al.: Non-Intrusive Adaptation: Input-Centric Parameter-efficient"
        " Fine-Tuning. 2023. arXiv:2310.12100",
    ),
    Method(
        name="pasta",
        config=f"{CONFIG}:PastaConfig",
        attach="onlay_baselines.pasta:attach",
        count="onlay_baselines.pasta:count",
        needs=frozenset({"class_token"}),
        traits="onlay_baselines.traits:of_pasta",
        examples=({}, {"init_std": 0.02, "dropout": 0.1}),
        summary="a learnt vector for each special token of each block",
        citation="Yang et al.: Parameter-Efficient Tuning with Special Token Adaptation. EACL"
        " 2023. arXiv:2210.04382",
    ),
)
