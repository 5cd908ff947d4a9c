"""`onlay import dapt FILE`: from a file of the authors' code to an adapted model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from onlay import PluginHost, adapt
from onlay.anatomy import BuiltBackbone
from onlay.config import parse
from onlay.config.overrides import as_block
from onlay.errors import BundleError
from onlay.machine.disk import beside
from onlay.model.adapted import AdaptedModel
from onlay.model.assemble import build_backbone
from onlay_dapt.config import DaptConfig
from onlay_dapt.official import STATISTICS, OfficialDapt, listing, understand

MODELNET40_CLASSES = 40


def read(
    path: Path,
    *,
    backbone: str | Mapping[str, Any] | None = None,
    backbone_out: Path | None = None,
    labels: Sequence[str] | None = None,
    host: PluginHost | None = None,
) -> AdaptedModel:
    """The model in a state dict of the authors' code, its logits the same to 1e-5 of their scale.

    What the file does not say is as in the authors' configs: 1,024 points in 64 groups for 40
    classes, else 2,048 in 128; the head reads class token, prompts and groups, or if it is two
    features wide, class token and groups for 40 classes, else class token and prompts.

    Args:
        path: a torch or safetensors file; plain, or under `base_model`.
        backbone: the frozen network, by name or as a block (also as JSON), which may say another
            number of groups; with `weights` these must be the file's own. Default: `point_mae`.
        backbone_out: where the file's frozen part goes (safetensors), so that a bundle can name it;
            without it the bundle must be given the backbone when it is loaded.
        labels: class names; default: the numbers.

    Raises:
        BundleError: unreadable, incomplete, of other shapes, or of another backbone.
    """
    host = host or PluginHost.discover()
    official = understand(path)
    built = frozen_network(official, backbone, host)
    if not built.source.get("weights"):
        store(built, official, backbone_out)
    return converted(official, built, labels=labels, host=host)


def frozen_network(
    official: OfficialDapt, backbone: str | Mapping[str, Any] | None, host: PluginHost
) -> BuiltBackbone:
    """The named network, with the file's weights unless it brings its own."""
    block = as_block(backbone, "point_mae")
    small = official.classes == MODELNET40_CLASSES
    default = {"npoints": 1024, "groups": 64} if small else {"npoints": 2048, "groups": 128}
    own = {} if block.get("weights") else {"pretrained": False}
    return build_backbone(parse("backbone", {**default, **own, **block}, host), host)


def store(built: BuiltBackbone, official: OfficialDapt, out: Path | None) -> None:
    """Put the file's frozen part into the network and, as a checkpoint of it, into `out`."""
    state = official.frozen()
    fill(built, official)
    source, built.source = dict(built.source), {}
    if out is not None:
        tensors = {name: tensor.contiguous() for name, tensor in state.items()}
        with beside(out) as fresh:
            save_file(tensors, fresh, metadata={"format": "pt"})
        built.source = source | {"pretrained": True, "weights": str(out.resolve())}


def fill(built: BuiltBackbone, official: OfficialDapt) -> None:
    trunk, state = built.anatomy.trunk(), official.frozen()
    others = sorted(n for n in trunk.keys() | state.keys() if not _fits(trunk.get(n), state.get(n)))
    if others:
        raise BundleError(
            f"`{official.origin}` holds no `{built.label}`: {listing(others)} do not fit"
        )
    built.module.load_state_dict(state)


def converted(
    official: OfficialDapt,
    built: BuiltBackbone,
    *,
    labels: Sequence[str] | None,
    host: PluginHost,
) -> AdaptedModel:
    """The file's adapter and head on a network that must be the file's own."""
    refuse_other_weights(built, official)
    model = adapt(
        built,
        DaptConfig(rank=official.rank),
        task=head_of(official),
        labels=labels,
        num_classes=official.classes,
        host=host,
        verify=False,
    )
    model.load_trained_state(trained_state(official, model))
    return model.eval()


def head_of(official: OfficialDapt) -> dict[str, Any]:
    """The task whose head is the file's."""
    two = "cls+max" if official.classes == MODELNET40_CLASSES else "cls+prompts"
    pools = {1: "cls", 2: two, 3: "cls+prompts+max"}
    if official.features not in pools:
        raise BundleError(
            f"the head in `{official.origin}` reads {official.features} features of a token and"
            " DAPT's read 1 to 3"
        )
    widths = [len(official.of_shape(f"cls_head_finetune.{i}.bias")) for i in (0, 4)]
    return {
        "name": "classification",
        "pool": pools[official.features],
        "hidden": widths,
        "hidden_norm": "batch",
        "dropout": 0.5,
    }


def trained_state(official: OfficialDapt, model: AdaptedModel) -> dict[str, Tensor]:
    """Adapter, moved statistics and head under their names in a bundle."""
    file, wanted = official.tensors, official.destinations
    own = model.trained_state()
    problems = {
        "missing tensors": sorted(wanted.keys() - file.keys()),
        "unexpected tensors": sorted(file.keys() - wanted.keys() - official.frozen().keys()),
        "other shapes": [
            n for n, ours in wanted.items() if n in file and not _fits(file[n], own.get(ours))
        ],
    }
    told = " and ".join(f"{what} {listing(names)}" for what, names in problems.items() if names)
    if told:
        raise BundleError(f"`{official.origin}` is no complete DAPT state dict: it has {told}")
    return {ours: file[name] for name, ours in wanted.items()}


def refuse_other_weights(built: BuiltBackbone, official: OfficialDapt) -> None:
    """What DAPT leaves frozen must be alike in both; class token and statistics may have moved."""
    trunk, state = built.anatomy.trunk(), official.frozen()
    moved = ("cls_token", "cls_pos", *STATISTICS)
    others = sorted(
        name
        for name in trunk.keys() | state.keys()
        if not name.endswith(moved) and not _agree(trunk.get(name), state.get(name))
    )
    if others:
        raise BundleError(
            f"`{official.origin}` was not trained on `{built.label}`: {listing(others)} differ;"
            " leave the weights out to keep those of the file"
        )


def _fits(a: Tensor | None, b: Tensor | None) -> bool:
    return a is not None and b is not None and a.shape == b.shape


def _agree(a: Tensor | None, b: Tensor | None) -> bool:
    return _fits(a, b) and torch.allclose(a, b, atol=1e-6)  # type: ignore[arg-type]
