"""What this distribution brings. Registering imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from onlay.descriptors import Method
from onlay.hooks import hookimpl
from onlay_cloud_methods import presets

CONFIG = "onlay_cloud_methods.config"


@hookimpl
def register_methods() -> Iterable[Method]:
    """All of them."""
    yield Method(
        name="idpt",
        config=f"{CONFIG}:IdptConfig",
        attach="onlay_cloud_methods.idpt:attach",
        count="onlay_cloud_methods.idpt:count",
        needs=frozenset({"points", "insertion"}),
        examples=(
            {"neighbours": 6},
            {"neighbours": 4, "layer": 0, "train_class_token": False},
        ),
        presets=presets.IDPT,
        unimportable="their code has no licence, and its files are not read",
        summary="one token made from the groups, which enters late",
        dynamic="the token",
        citation="Zha et al.: Instance-aware Dynamic Prompt Tuning for Pre-trained Point Cloud"
        " Models. ICCV 2023. arXiv:2304.07221",
    )
    yield Method(
        name="pointgst",
        config=f"{CONFIG}:PointgstConfig",
        attach="onlay_cloud_methods.pointgst:attach",
        count="onlay_cloud_methods.pointgst:count",
        needs=frozenset({"points"}),
        traits=frozenset({"identity"}),
        examples=(
            {"rank": 8, "chunk": 5},
            {"rank": 8, "chunk": 4, "train_class_token": False},
        ),
        quiet={"legacy": "an answer depends on the batch there, which the checks refuse"},
        presets=presets.POINTGST,
        importer="onlay_cloud_methods.importer:pointgst",
        summary="bottlenecks that also act on the spectrum of the cloud's graph",
        dynamic="the spectrum, by the cloud's graph",
        citation="Liang et al.: Parameter-Efficient Fine-Tuning in Spectral Domain for Point Cloud"
        " Learning. TPAMI 2025. arXiv:2410.08114",
    )
    yield Method(
        name="stag",
        config=f"{CONFIG}:StagConfig",
        attach="onlay_cloud_methods.stag:attach",
        count="onlay_cloud_methods.stag:count",
        needs=frozenset({"points"}),
        examples=(
            {"width": 8, "neighbours": 4},
            {"width": 8, "neighbours": 3, "kind": "sl", "norm": True},
        ),
        presets=presets.STAG,
        importer="onlay_cloud_methods.importer:stag",
        summary="a narrow graph network beside the backbone",
        dynamic="which groups speak to each other",
        citation="Furuya: Token Adaptation via Side Graph Convolution for Efficient Fine-tuning of"
        " 3D Point Cloud Transformers. 2025. arXiv:2502.14142",
    )
    yield Method(
        name="ppt",
        config=f"{CONFIG}:PptConfig",
        attach="onlay_cloud_methods.ppt:attach",
        count="onlay_cloud_methods.ppt:count",
        needs=frozenset({"points", "insertion"}),
        examples=(
            {"tokens": 6, "bottleneck": 8},
            {
                "tokens": 4,
                "bottleneck": 8,
                "train_embedders": False,
                "train_class_token": False,
            },
        ),
        presets=presets.PPT,
        importer="onlay_cloud_methods.importer:ppt",
        summary="the groups once more as prompts, and bottlenecks that all blocks share",
        dynamic="the prompts",
        citation="Zhang, Qi, Dong, Bai, Wei: Positional Prompt Tuning for Efficient 3D"
        " Representation Learning. 2024. arXiv:2408.11567",
    )
    yield Method(
        name="point_peft",
        config=f"{CONFIG}:PointPeftConfig",
        attach="onlay_cloud_methods.point_peft:attach",
        count="onlay_cloud_methods.point_peft:count",
        needs=frozenset({"points", "insertion"}),
        examples=(
            {
                "rank": 4,
                "memory_rank": 2,
                "remembered": 2,
                "bank": 4,
                "neighbours": 3,
                "attention_width": 6,
                "attention_heads": 2,
            },
            {
                "rank": 4,
                "memory_rank": 2,
                "prompted": 0,
                "bank": 8,
                "neighbours": 4,
                "attention_width": 8,
                "attention_heads": 4,
                "order": "adapter_first",
                "feature": "mean",
                "train_class_token": False,
            },
        ),
        quiet={"temperature": "without data the memory is empty"},
        presets=presets.POINT_PEFT,
        unimportable="their code has no licence, and its files are not read",
        summary="prompts with a memory of the training clouds, adapters, and a step by geometry",
        dynamic="a prompt, and what neighbours give",
        citation="Tang, Zhang, Guo, Wang, Zhao, Wang, Li: Point-PEFT: Parameter-Efficient"
        " Fine-Tuning for 3D Pre-trained Models. AAAI 2024. arXiv:2310.03059",
    )
