"""A state dict of the authors' `Point_DAPT`, and where its tensors go.

The frozen network has the names that it has here; the official head's layers are numbered as the
hidden layers of task `classification` are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from torch import Tensor

from onlay.errors import BundleError
from onlay.reading.statefile import read_state

TFTS = {
    "tfts_{}_1": "attn_in.rewrites.0.{}",
    "attn.tfts_{}_1": "qkv_out.rewrites.0.{}",
    "attn.tfts_{}_2": "attn_out.rewrites.0.{}",
    "tfts_{}_2": "mlp_in.rewrites.0.{}",
    "mlp.tfts_{}_1": "fc1_out.rewrites.0.{}",
    "mlp.tfts_{}_2": "mlp_out.rewrites.0.{}",
    "tfts_{}_3": "block_out.inserts.0.transform.{}",
}
"""Scale-and-shift of a block; `{}` is `gamma` or `beta`."""
ADAPTER = {
    "adapter_layer_norm_before": "norm",
    "scale": "score",
    "down_proj": "down",
    "up_proj": "up",
}
WHOLE = {"tfts_{}_1": "embed_out.rewrites.0.{}", "tfts_{}_2": "norm_out.rewrites.0.{}"}
HEAD = "cls_head_finetune."
LAYERS = {"0": "hidden.0", "1": "hidden.1", "4": "hidden.4", "5": "hidden.5", "8": "fc"}
NORMS = ("1", "5")
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
GROUP_NORMS = ("encoder.first_conv.1", "encoder.second_conv.1")


@dataclass(frozen=True)
class OfficialDapt:
    """The tensors of one file by their official names, and what their shapes tell."""

    tensors: Mapping[str, Tensor]
    origin: str
    depth: int

    @property
    def rank(self) -> int:
        return len(self.of_shape("blocks.blocks.0.Adapter_MLP.down_proj.bias"))

    @property
    def classes(self) -> int:
        return len(self.of_shape(f"{HEAD}8.bias"))

    @property
    def features(self) -> int:
        """How many token features the head reads side by side."""
        width = self.of_shape("norm.weight").shape[0]
        return self.of_shape(f"{HEAD}0.weight").shape[1] // width

    @cached_property
    def destinations(self) -> dict[str, str]:
        """Official name -> name in a bundle, of all that trains or moves."""
        return dict(_destinations(self.depth))

    def frozen(self) -> dict[str, Tensor]:
        """The network by itself, class token and statistics as they were when training ended."""
        own = ("cls_token", "cls_pos", "encoder.", "pos_embed.", "norm.")
        inside = re.compile(r"blocks\.blocks\.\d+\.(norm\d|mlp\.fc\d|attn\.(qkv|proj))\.")
        return {n: t for n, t in self.tensors.items() if n.startswith(own) or inside.match(n)}

    def of_shape(self, name: str) -> Tensor:
        """A tensor that the file must have for its sizes to be told."""
        if name not in self.tensors:
            raise BundleError(f"`{self.origin}` is no complete DAPT state dict: it has no `{name}`")
        return self.tensors[name]


def _destinations(depth: int) -> Iterator[tuple[str, str]]:
    for name in ("cls_token", "cls_pos"):
        yield name, f"adapter.thawed.{name}"
    yield from _transforms(WHOLE, "", "adapter.")
    for i in range(depth):
        block, ours = f"blocks.blocks.{i}.", f"adapter.blocks.{i}."
        yield from _transforms(TFTS, block, ours)
        for theirs, name in ADAPTER.items():
            for kind in ("weight", "bias"):
                at = f"{ours}mlp_out.branches.0.{name}.{kind}"
                yield f"{block}Adapter_MLP.{theirs}.{kind}", at
    for norm in GROUP_NORMS:
        for kind in STATISTICS:
            yield f"{norm}.{kind}", f"adapter.thawed.{norm}.{kind}"
    for number, layer in LAYERS.items():
        for kind in ("weight", "bias", *(STATISTICS if number in NORMS else ())):
            yield f"{HEAD}{number}.{kind}", f"head.{layer}.{kind}"


def _transforms(table: Mapping[str, str], theirs: str, ours: str) -> Iterator[tuple[str, str]]:
    for name, at in table.items():
        for kind in ("gamma", "beta"):
            yield theirs + name.format(kind), ours + at.format(kind)


def understand(path: Path) -> OfficialDapt:
    """The tensors of a file, plain or under `base_model`, with or without `module.`.

    Raises:
        BundleError: it cannot be read or is none of DAPT.
    """
    tensors = read_state(path, within=("base_model", "model_state_dict"))
    found = (re.match(r"blocks\.blocks\.(\d+)\.Adapter_MLP\.", name) for name in tensors)
    blocks = [int(match[1]) for match in found if match]
    if not blocks:
        raise BundleError(
            f"`{path}` is no state dict of DAPT: it has no `blocks.blocks.<n>.Adapter_MLP.`"
            " tensors; give one that the authors' code saved"
        )
    return OfficialDapt(tensors, str(path), max(blocks) + 1)


def listing(names: list[str], most: int = 4) -> str:
    shown = ", ".join(f"`{n}`" for n in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
