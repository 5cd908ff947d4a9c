"""A state dict that the authors' ViT code wrote, whole or only the trained part of it.

Two spellings exist, that of `ARC_ViT.py` and that of `ARC_new.py`, for one and the same network.
Shapes: D width, r rank, F width of the MLP, N patches, p patch size, C classes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from onlay.errors import BundleError
from onlay_arc.config import ArcSite

SHORT: Mapping[ArcSite, str] = {"attn.in": "att", "mlp.in": "mlp"}

RESPELLED = [
    (re.compile(r"^transformer\.left_u_(att|mlp)$"), r"transformer.\1_down_projection"),
    (re.compile(r"\.(att|mlp)_scale$"), r".\1_adapter.adapter_rescale"),
    (re.compile(r"\.(att|mlp)_scale_bias$"), r".\1_adapter.adapter_bias"),
]
"""`ARC_new.py` -> `ARC_ViT.py`."""

STEM = {
    "embedding.cls": "cls_token",
    "embedding.position_embedding": "pos_embed",
    "embedding.projective.weight": "patch_embed.proj.weight",
    "embedding.projective.bias": "patch_embed.proj.bias",
    "transformer.layer_norm.weight": "norm.weight",
    "transformer.layer_norm.bias": "norm.bias",
}
LAYER = {
    "attention.projective": "attn.proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
    "att_layer_norm": "norm1",
    "fnn_layer_norm": "norm2",
}
QKV = ("attention.query", "attention.key", "attention.value")
KINDS = ("weight", "bias")


@dataclass(frozen=True)
class OfficialArc:
    """Complete and of consistent shapes; the names are those of `ARC_ViT.py`."""

    tensors: Mapping[str, Tensor]
    sites: tuple[ArcSite, ...]
    depth: int
    whole: bool
    """Whether the frozen network is there too."""

    @property
    def width(self) -> int:
        return self.projection(self.sites[0]).shape[0]

    @property
    def rank(self) -> int:
        return self.projection(self.sites[0]).shape[1]

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        """Weight (C, D) and bias (C,)."""
        return self.tensors["head_mlp.head.weight"], self.tensors["head_mlp.head.bias"]

    def projection(self, site: ArcSite) -> Tensor:
        """U (D, r)."""
        return self.tensors[f"transformer.{SHORT[site]}_down_projection"]

    def block(self, index: int, site: ArcSite) -> tuple[Tensor, Tensor]:
        """s (1, r) and b (D,) of one block."""
        name = f"transformer.layer.{index}.{SHORT[site]}_adapter.adapter_"
        return self.tensors[name + "rescale"], self.tensors[name + "bias"]

    def backbone(self) -> dict[str, Tensor]:
        """The frozen network as a timm `VisionTransformer` without classifier names it."""
        state = {ours: self.tensors[theirs] for theirs, ours in STEM.items()}
        for i in range(self.depth):
            theirs, ours = f"transformer.layer.{i}.", f"blocks.{i}."
            for kind in KINDS:
                parts = [self.tensors[f"{theirs}{name}.{kind}"] for name in QKV]
                state[f"{ours}attn.qkv.{kind}"] = torch.cat(parts)
                for a, b in LAYER.items():
                    state[f"{ours}{b}.{kind}"] = self.tensors[f"{theirs}{a}.{kind}"]
        return state


def understand(state: Mapping[str, Tensor], origin: str) -> OfficialArc:
    """Check names and shapes; `origin` is how an error calls the file.

    Raises `BundleError` that names tensors which are missing, unexpected or of another shape.
    """
    tensors = {respell(name): tensor for name, tensor in state.items()}
    sites = tuple(s for s, a in SHORT.items() if f"transformer.{a}_down_projection" in tensors)
    layers = [int(m[1]) for n in tensors if (m := re.match(r"transformer\.layer\.(\d+)\.", n))]
    if not sites or not layers:
        raise BundleError(
            f"`{origin}` is no state dict of ARC's ViT: it has no `transformer.att_down_projection`"
            " beside `transformer.layer.<n>.` tensors; give one that the authors' code saved"
        )
    whole = any(n.startswith("embedding.") or ".attention." in n for n in tensors)
    found = OfficialArc(tensors, sites, max(layers) + 1, whole)
    refuse_other_names(found, origin)
    refuse_other_shapes(found, origin)
    return found


def respell(name: str) -> str:
    """A name as `ARC_ViT.py` has it, without the prefix of `DataParallel`."""
    name = name.removeprefix("module.")
    for pattern, replacement in RESPELLED:
        name = pattern.sub(replacement, name)
    return name


def refuse_other_names(found: OfficialArc, origin: str) -> None:
    expected = {name for name, _ in expected_shapes(found)}
    missing = sorted(expected - found.tensors.keys())
    unexpected = sorted(found.tensors.keys() - expected)
    if missing or unexpected:
        kinds = {"missing": missing, "unexpected": unexpected}
        told = " and ".join(f"{kind} tensors {listing(n)}" for kind, n in kinds.items() if n)
        raise BundleError(
            f"`{origin}` is not a complete ARC state dict of {found.depth} layers: it has {told}"
        )


def refuse_other_shapes(found: OfficialArc, origin: str) -> None:
    sizes: dict[str, int] = {}
    for name, letters in expected_shapes(found):
        shape = tuple(found.tensors[name].shape)
        wanted = tuple(a if isinstance(a, int) else sizes.get(a, a) for a in letters)
        if len(shape) != len(wanted) or any(
            w != s for w, s in zip(wanted, shape, strict=True) if isinstance(w, int)
        ):
            raise BundleError(f"`{name}` in `{origin}` is {shape}, where {wanted} fits the others")
        sizes.update((a, s) for a, s in zip(letters, shape, strict=True) if isinstance(a, str))


Shape = tuple[int | str, ...]


def expected_shapes(found: OfficialArc) -> Iterator[tuple[str, Shape]]:
    """Names, and shapes in which a letter stands for one size throughout."""
    for site in found.sites:
        yield f"transformer.{SHORT[site]}_down_projection", ("D", "r")
    yield from [("head_mlp.head.weight", ("C", "D")), ("head_mlp.head.bias", ("C",))]
    for i in range(found.depth):
        for site in found.sites:
            name = f"transformer.layer.{i}.{SHORT[site]}_adapter.adapter_"
            yield from [(name + "rescale", (1, "r")), (name + "bias", ("D",))]
    if found.whole:
        yield from frozen_shapes(found.depth)


def frozen_shapes(depth: int) -> Iterator[tuple[str, Shape]]:
    yield "embedding.cls", (1, 1, "D")
    yield "embedding.position_embedding", (1, "1 + N", "D")
    yield "embedding.projective.weight", ("D", 3, "p", "p")
    yield "embedding.projective.bias", ("D",)
    yield from vector_pair("transformer.layer_norm")
    for i in range(depth):
        layer = f"transformer.layer.{i}."
        for name in (*QKV, "attention.projective"):
            yield from matrix_pair(layer + name, "D", "D")
        yield from matrix_pair(layer + "mlp.fc1", "F", "D")
        yield from matrix_pair(layer + "mlp.fc2", "D", "F")
        yield from vector_pair(layer + "att_layer_norm")
        yield from vector_pair(layer + "fnn_layer_norm")


def matrix_pair(name: str, out: str, into: str) -> Iterator[tuple[str, Shape]]:
    yield from [(f"{name}.weight", (out, into)), (f"{name}.bias", (out,))]


def vector_pair(name: str) -> Iterator[tuple[str, Shape]]:
    yield from [(f"{name}.weight", ("D",)), (f"{name}.bias", ("D",))]


def listing(names: list[str], most: int = 4) -> str:
    shown = ", ".join(f"`{n}`" for n in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
