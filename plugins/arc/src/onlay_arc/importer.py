"""`onlay import arc FILE`: from a file of the authors' ViT code to an adapted model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isqrt
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from onlay import PluginHost, adapt
from onlay.anatomy import BuiltBackbone
from onlay.config import parse
from onlay.errors import BundleError
from onlay.machine.disk import beside
from onlay.model.adapted import AdaptedModel
from onlay.model.assemble import build_backbone
from onlay.reading.statefile import read_state
from onlay_arc.config import ArcConfig
from onlay_arc.official import OfficialArc, listing, understand

SIZES = {192: "tiny", 384: "small", 768: "base", 1024: "large", 1280: "huge"}
"""Width -> timm's name for a ViT of that width and of the usual number of heads."""


def read(
    path: Path,
    *,
    backbone: str | Mapping[str, Any] | None = None,
    backbone_out: Path | None = None,
    labels: Sequence[str] | None = None,
    host: PluginHost | None = None,
) -> AdaptedModel:
    """The model in a state dict of `ARC_ViT.py` or `ARC_new.py`, its logits the same to 1e-5.

    Args:
        path: a torch or safetensors file; the whole model, or the trained part alone.
        backbone: how to build the frozen network. Needed for the trained part alone; for a whole
            model the file's weights must be those of this backbone.
        backbone_out: where a whole model's frozen part goes (safetensors, timm's names), so that a
            bundle can name it; without it the bundle must be given the backbone when it is loaded.
        labels: class names; default: the numbers.

    Raises:
        BundleError: unreadable, incomplete, of other shapes, or of another backbone.
    """
    host = host or PluginHost.discover()
    official = understand(read_state(path), str(path))
    built = (
        stored_backbone(official, backbone_out, host)
        if backbone is None
        else named_backbone(official, backbone, path, host)
    )
    method = ArcConfig(rank=official.rank, sites=official.sites)
    classes = len(official.head[1])
    model = adapt(built, method, labels=labels, num_classes=classes, host=host, verify=False)
    model.load_trained_state(trained_state(official))
    return model.eval()


def stored_backbone(official: OfficialArc, out: Path | None, host: PluginHost) -> BuiltBackbone:
    """A timm ViT of the file's shape with the file's weights."""
    if not official.whole:
        raise BundleError(
            "the file holds ARC's trained part alone; name the backbone that it was trained on,"
            " such as `vit_base_patch16_224.orig_in21k`"
        )
    config = {"name": "timm", "model": model_name(official), "pretrained": False}
    built = build_backbone(parse("backbone", config | image_size(official), host), host)
    state = official.backbone()
    fill(built, state)
    built.source = {}
    if out is not None:
        with beside(out) as fresh:
            save_file(state, fresh, metadata={"format": "pt"})
        built.source = config | image_size(official) | {"weights": str(out.resolve())}
    return built


def named_backbone(
    official: OfficialArc, backbone: str | Mapping[str, Any], path: Path, host: PluginHost
) -> BuiltBackbone:
    """The backbone that the user names; a whole model's frozen part must agree with it."""
    built = build_backbone(parse("backbone", backbone, host), host)
    if official.whole:
        refuse_other_weights(built, official.backbone(), path)
    return built


def fill(built: BuiltBackbone, state: Mapping[str, Tensor]) -> None:
    if others := differing(built, state, lambda a, b: a.shape == b.shape):
        raise BundleError(f"the file holds no `{built.label}`: {listing(others)} do not fit")
    built.module.load_state_dict(state, strict=False)  # all but the classifier, if it has one


def refuse_other_weights(built: BuiltBackbone, state: Mapping[str, Tensor], path: Path) -> None:
    if others := differing(built, state, agree):
        raise BundleError(
            f"`{path}` was not trained on `{built.label}`: {listing(others)} differ;"
            " leave the backbone out to keep the weights of the file"
        )


def differing(
    built: BuiltBackbone, state: Mapping[str, Tensor], same: Callable[[Tensor, Tensor], bool]
) -> list[str]:
    """Names that only one of the two has, or whose tensors are not the same."""
    trunk = built.anatomy.trunk()
    names = sorted(trunk.keys() | state.keys())
    return [n for n in names if n not in trunk or n not in state or not same(trunk[n], state[n])]


def agree(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, atol=1e-6)


def model_name(official: OfficialArc) -> str:
    """timm's name; the number of heads is not in the file, so it is what that width usually has."""
    patch = official.tensors["embedding.projective.weight"].shape[-1]
    if official.width not in SIZES:
        widths = ", ".join(str(width) for width in SIZES)
        raise BundleError(f"no ViT of width {official.width} is known (have: {widths})")
    return f"vit_{SIZES[official.width]}_patch{patch}_224"


def image_size(official: OfficialArc) -> dict[str, Any]:
    tokens = official.tensors["embedding.position_embedding"].shape[1]
    patch = official.tensors["embedding.projective.weight"].shape[-1]
    return {"img_size": patch * isqrt(tokens - 1)}


def trained_state(official: OfficialArc) -> dict[str, Tensor]:
    """Adapter and head under their names in a bundle."""
    weight, bias = official.head
    state = {"head.fc.weight": weight, "head.fc.bias": bias}
    for site in official.sites:
        for i in range(official.depth):
            name = f"adapter.blocks.{i}.{site.replace('.', '_')}.rewrites.0."
            state[name + "rescale"], state[name + "bias"] = official.block(i, site)
            if i == 0:
                state[name + "shared.weight"] = official.projection(site)
    return state
