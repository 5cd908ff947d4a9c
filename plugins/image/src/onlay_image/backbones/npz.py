"""Google's ViT as `.npz`, in the layout of `vision_transformer` or of `big_vision`, read by timm's
own loader.

timm's loader takes what it finds for the blocks that the model has, so depth and widths are
compared before.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from onlay.errors import BundleError
from onlay_image.timm_types import TimmModule

Shapes = dict[str, tuple[int, ...]]


def load_npz(model: TimmModule, path: Path) -> None:
    """Fill a `VisionTransformer`.

    Raises:
        BundleError: a model of another class, or a file of another depth or width.
    """
    if not hasattr(model, "load_pretrained"):
        raise BundleError(
            f"`{path}`: `.npz` files of Google hold a ViT, not a `{type(model).__name__}`"
        )
    with np.load(path, allow_pickle=False) as archive:
        found = {name: archive[name].shape for name in archive.files}
    _refuse_another(path, found, model)
    model.load_pretrained(str(path))


def _refuse_another(path: Path, found: Shapes, model: TimmModule) -> None:
    blocks = _blocks(found)
    depth = len(model.blocks)
    if len(blocks) != depth:
        raise BundleError(
            f"`{path}` is a checkpoint of another architecture: it has {len(blocks)} blocks"
            f" (`Transformer/encoderblock_*`), the model has {depth}"
        )
    for name, shape, expected in _sizes(found, model):
        if shape != expected:
            raise BundleError(
                f"`{path}` is a checkpoint of another architecture:"
                f" `{name}` is {shape} and should be {expected}"
            )


def _blocks(found: Shapes) -> list[str]:
    """One entry for each block; big_vision may stack all blocks in one array."""
    for name, shape in found.items():
        if name.endswith("Transformer/encoderblock/LayerNorm_0/scale"):
            return ["stacked"] * shape[0]
    numbers = (re.search(r"Transformer/encoderblock_(\d+)/", name) for name in found)
    return sorted({match[1] for match in numbers if match})


def _sizes(found: Shapes, model: TimmModule) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    """Name, shape and expected shape of what fixes width, heads and the MLP (a stack's first axis
    cut off).
    """
    block = model.blocks[0]
    width, attn = model.embed_dim, block.attn
    wanted = {
        "embedding/kernel": (width,),
        "query/kernel": (width, attn.num_heads, width // attn.num_heads),
        "Dense_0/kernel": (width, block.mlp.fc1.out_features),
    }
    return [
        (name, shape[len(shape) - len(expected) :], expected)
        for name, shape in found.items()
        for ending, expected in wanted.items()
        if name.endswith(ending) and "MAPHead" not in name
    ]
