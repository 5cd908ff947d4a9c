"""Changes of weights, most of which merge."""

from __future__ import annotations

from onlay.descriptors import Method
from onlay_baselines import presets

CONFIG = "onlay_baselines.config.weights"
BOTH = frozenset({"identity", "foldable"})
ONE_FIRST_LAYER = frozenset({"fc1.out"})

WEIGHTS: tuple[Method, ...] = (
    Method(
        name="norm_tuning",
        config=f"{CONFIG}:NormTuningConfig",
        attach="onlay_baselines.norms:attach",
        count="onlay_baselines.norms:count",
        traits=BOTH,
        summary="weight and bias of every norm",
        citation="Basu et al.: Strong Baselines for Parameter Efficient Few-Shot Fine-tuning."
        " 2023. arXiv:2304.01917",
    ),
    Method(
        name="lora",
        config=f"{CONFIG}:LoraConfig",
        attach="onlay_baselines.lora:attach",
        count="onlay_baselines.lora:count",
        traits=BOTH,
        examples=(
            {"rank": 4},
            {"rank": 4, "targets": ["fc1", "fc2"], "alpha": 16.0, "dropout": 0.1},
            {"rank": 4, "targets": ["qkv", "proj"], "rank_stabilized": True},
        ),
        presets=presets.LORA,
        summary="low-rank updates of frozen weights",
        citation="Hu et al.: LoRA: Low-Rank Adaptation of Large Language Models. ICLR 2022."
        " arXiv:2106.09685",
    ),
    Method(
        name="ssf",
        config=f"{CONFIG}:SsfConfig",
        attach="onlay_baselines.ssf:attach",
        count="onlay_baselines.ssf:count",
        sites=ONE_FIRST_LAYER,
        traits="onlay_baselines.traits:of_ssf",
        examples=({}, {"init_std": 0.0}),
        presets=presets.SSF,
        summary="a scale and shift behind every linear map and norm",
        citation="Lian et al.: Scaling & Shifting Your Features: A New Baseline for Efficient"
        " Model Tuning. NeurIPS 2022. arXiv:2210.08823",
    ),
    Method(
        name="ia3",
        config=f"{CONFIG}:Ia3Config",
        attach="onlay_baselines.ia3:attach",
        count="onlay_baselines.ia3:count",
        traits=BOTH,
        examples=({}, {"sites": ["v", "mlp"]}),
        presets=presets.IA3,
        summary="scales of keys, values and the MLP's hidden numbers",
        citation="Liu et al.: Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than"
        " In-Context Learning. NeurIPS 2022. arXiv:2205.05638",
    ),
    Method(
        name="fact",
        config=f"{CONFIG}:FactConfig",
        attach="onlay_baselines.fact:attach",
        count="onlay_baselines.fact:count",
        sites=ONE_FIRST_LAYER,
        traits=BOTH,
        examples=({"rank": 4}, {"rank": 4, "kind": "tk", "scale": 10.0, "dropout": 0.0}),
        presets=presets.FACT,
        summary="the updates of all weights as one tensor in factors",
        citation="Jie, Deng: FacT: Factor-Tuning for Lightweight Adaptation on Vision Transformer."
        " AAAI 2023. arXiv:2212.03145",
    ),
    Method(
        name="metatt",
        config=f"{CONFIG}:MetattConfig",
        attach="onlay_baselines.metatt:attach",
        count="onlay_baselines.metatt:count",
        traits=BOTH,
        examples=({"rank": 4}, {"rank": 4, "targets": ["q", "proj", "fc1", "fc2"], "alpha": 2.0}),
        summary="one tensor train over layers and kinds of weights",
        citation="MetaTT: A Global Tensor-Train Adapter for Parameter-Efficient Fine-Tuning. 2025."
        " arXiv:2506.09105",
    ),
    Method(
        name="spectrum",
        config=f"{CONFIG}:SpectrumConfig",
        attach="onlay_baselines.spectrum:attach",
        count="onlay_baselines.spectrum:count",
        sites=ONE_FIRST_LAYER,
        traits=BOTH,
        examples=(
            {"rank": 4, "alpha": 4.0},
            {"rank": 5, "parts": 3, "targets": ["v", "proj"], "dropout": 0.0},
        ),
        summary="low-rank factors that multiply blocks of the re-ordered weight",
        citation="Spectrum Modulation Adapter. 2026. arXiv:2605.21147",
    ),
    Method(
        name="dynamic_rank",
        config=f"{CONFIG}:DynamicRankConfig",
        attach="onlay_baselines.dynamic_rank:attach",
        count="onlay_baselines.dynamic_rank:count",
        sites=ONE_FIRST_LAYER,
        traits=BOTH,
        examples=({"rank": 4}, {"rank": 4, "targets": ["q", "v"], "every": 2, "penalty": 0.0}),
        summary="sums of rank-1 parts, of which the least important are closed",
        citation="Mao et al.: DoRA: Enhancing Parameter-Efficient Fine-Tuning with Dynamic Rank"
        " Distribution. ACL 2024. arXiv:2405.17357",
    ),
)
