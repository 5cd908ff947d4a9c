"""How the authors of PointGST, PPT and STAG name their tensors, read in their code (Apache-2.0,
MIT, MIT), of which nothing is used. All have Point-MAE's names beside their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from onlay.errors import BundleError
from onlay.reading.statefile import read_state
from onlay_cloud_methods import presets
from onlay_cloud_methods.pointgst import Spectral
from onlay_cloud_methods.ppt import Prompted
from onlay_cloud_methods.stag import GraphLayer, Lowered

HEAD = "cls_head_finetune."
LAYERS = {"0": "hidden.0", "1": "hidden.1", "4": "hidden.4", "5": "hidden.5", "8": "fc"}
MODELNET40_CLASSES = 40
SPECTRAL = {
    "down": "down",
    "up": "up",
    "adapt1": "shared",
    "norm_ly1": "norm_whole",
    "norm_ly2": "norm_local",
}
SIDE = "blocks.addparam_"
GRAPH = {"graphconv1": "own", "graphconv2": "other", "fc": "out", "upproj": "up"}

State = Mapping[str, Tensor]
Pairs = Iterator[tuple[str, nn.Module]]


@dataclass(frozen=True)
class Layout:
    """What is a method's own in such a file."""

    mark: str
    """A tensor that every file has."""
    settings: Callable[[State, bool], dict[str, Any]]
    """What the shapes tell, and whether there are ModelNet40's classes."""
    parts: Callable[[nn.Module], Pairs]
    """Their names of modules -> the modules of an adapter."""
    task: Mapping[str, Any]
    sizes: tuple[int, int] = (1024, 64)
    """Points and groups for ModelNet40's classes; else 2,048 in 128."""


def _of(adapter: nn.Module, kind: type) -> list[Any]:
    return [module for module in adapter.modules() if isinstance(module, kind)]


def _spectral(state: State, small: bool) -> dict[str, Any]:
    rank = len(state["blocks.blocks.0.gft_adapter.down.bias"])
    return {
        "rank": rank,
        "chunk": 16 if small else 32,
        "legacy": True,
        "laplacian": "plain",
    }


def _spectral_parts(adapter: nn.Module) -> Pairs:
    for block, module in enumerate(_of(adapter, Spectral)):
        for theirs, ours in SPECTRAL.items():
            yield f"blocks.blocks.{block}.gft_adapter.{theirs}", getattr(module, ours)


def _prompted(state: State, small: bool) -> dict[str, Any]:
    tokens = {"tokens": 64} if small else {}
    return {"bottleneck": len(state["blocks.prompt_mlp.0.bias"]), **tokens}


def _prompted_parts(adapter: nn.Module) -> Pairs:
    first: Any = _of(adapter, Prompted)[0]
    beside: Any = adapter.get_submodule("blocks.0.block_out.branches.0")
    own: dict[str, Any] = {"mlp": first.groups, "pos_mlp": first.prompts, "all_mlp": beside}
    for theirs, module in own.items():
        yield f"blocks.prompt_{theirs}.0", module.down
        yield f"blocks.prompt_{theirs}.2", module.up


def _side(state: State, small: bool) -> dict[str, Any]:
    large = f"{SIDE}downproj_dict.1.0.bias" in state
    return {
        "kind": "sl" if large else "std",
        "width": len(state[f"{SIDE}downproj_dict.0.0.bias"]),
    }


def _side_parts(adapter: nn.Module) -> Pairs:
    downs = list(dict.fromkeys(module.down for module in _of(adapter, Lowered)))
    for number, down in enumerate(downs):
        yield f"{SIDE}downproj_dict.{number}.0", down
    blocks = len({name for name in dict(adapter.named_modules()) if _is_block(name)})
    layers = _of(adapter, GraphLayer)
    first = blocks // 2 if len(layers) == 1 else blocks // 4  # numbered from its first block on
    for number, layer in enumerate(layers):
        for theirs, ours in GRAPH.items():
            yield f"{SIDE}{theirs}_dict.{first + number}.0", getattr(layer, ours)


def _is_block(name: str) -> bool:
    kind, _, number = name.partition(".")
    return kind == "blocks" and number.isdigit()


def _task(pool: str, **more: Any) -> dict[str, Any]:
    return {**presets.HEAD, "pool": pool, **more}


OFFICIAL: Mapping[str, Layout] = {
    "pointgst": Layout(
        "blocks.blocks.0.gft_adapter.down.bias", _spectral, _spectral_parts, _task("cls+max")
    ),
    "ppt": Layout(
        "blocks.prompt_mlp.0.bias",
        _prompted,
        _prompted_parts,
        _task("cls+mean+prompts", **presets.GELU),
        sizes=(8192, 512),
    ),
    "stag": Layout(f"{SIDE}downproj_dict.0.0.bias", _side, _side_parts, _task("tokens")),
}


def understand(path: Path, method: str) -> dict[str, Tensor]:
    """The tensors of a file, plain or under `base_model`, with or without `module.`.

    Raises:
        BundleError: it cannot be read or is none of this method.
    """
    tensors = read_state(path, within=("base_model", "model_state_dict"))
    for needed in (OFFICIAL[method].mark, f"{HEAD}8.bias"):
        if needed not in tensors:
            raise BundleError(
                f"`{path}` is no state dict of `{method}`: it has no `{needed}`; give one that the"
                " authors' code saved"
            )
    return tensors
