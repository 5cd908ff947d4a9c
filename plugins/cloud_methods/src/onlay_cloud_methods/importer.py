"""`onlay import ppt FILE`: from a file of the authors' code to an adapted model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from onlay import PluginHost, adapt
from onlay.anatomy import BuiltBackbone
from onlay.config import parse
from onlay.config.overrides import as_block
from onlay.errors import BundleError, ConfigError
from onlay.machine.disk import beside
from onlay.model.adapted import AdaptedModel
from onlay.model.assemble import build_backbone
from onlay_cloud_methods.official import (
    HEAD,
    LAYERS,
    MODELNET40_CLASSES,
    OFFICIAL,
    State,
    understand,
)


def read(
    path: Path,
    *,
    method: str,
    backbone: str | Mapping[str, Any] | None = None,
    backbone_out: Path | None = None,
    labels: Sequence[str] | None = None,
    host: PluginHost | None = None,
) -> AdaptedModel:
    """The model in a state dict of the authors' code.

    Args:
        path: a torch or safetensors file; plain, or under `base_model`.
        backbone: the network by name or as a block (also as JSON), which may say other numbers of
            points and groups; its weights are the file's own. Default: `point_mae`.
        backbone_out: where the file's frozen part goes (safetensors), so that a bundle can name it.
        labels: class names; default: the numbers.

    Raises:
        BundleError: unreadable, incomplete, or of other shapes.
        ConfigError: a backbone with weights of its own.
    """
    host = host or PluginHost.discover()
    state = understand(path, method)
    built = network(state, method, backbone, host)
    fill(built, state, path)
    keep(built, backbone_out)
    return converted(state, built, method, path, labels=labels, host=host)


def network(
    state: State, method: str, backbone: str | Mapping[str, Any] | None, host: PluginHost
) -> BuiltBackbone:
    """With random weights, for as many groups as the authors take for so many classes."""
    block = as_block(backbone, "point_mae")
    if block.get("weights"):
        raise ConfigError(
            f"a file of `{method}` brings its backbone's weights: leave out `weights` of `backbone`"
        )
    points, groups = OFFICIAL[method].sizes if _small(state) else (2048, 128)
    default = {"npoints": points, "groups": groups, "pretrained": False}
    return build_backbone(parse("backbone", {**default, **block}, host), host)


def _small(state: State) -> bool:
    return len(state[f"{HEAD}8.bias"]) == MODELNET40_CLASSES


def fill(built: BuiltBackbone, state: State, path: Path) -> None:
    """Put the file's frozen part into the network."""
    trunk = built.anatomy.trunk()
    _refuse(path, built.label, [n for n, t in trunk.items() if not _fits(t, state.get(n))])
    built.module.load_state_dict({name: state[name] for name in trunk})


def keep(built: BuiltBackbone, out: Path | None) -> None:
    """Write the weights as a checkpoint of the network, to which a bundle can refer."""
    source, built.source = dict(built.source), {}
    if out is not None:
        tensors = {name: t.contiguous().clone() for name, t in built.anatomy.trunk().items()}
        with beside(out) as fresh:
            save_file(tensors, fresh, metadata={"format": "pt"})
        built.source = source | {"pretrained": True, "weights": str(out.resolve())}


def converted(
    state: State,
    built: BuiltBackbone,
    method: str,
    path: Path,
    *,
    labels: Sequence[str] | None,
    host: PluginHost,
) -> AdaptedModel:
    """The file's adapter and head on its own network, whose thawed parts are right already."""
    layout, classes = OFFICIAL[method], len(state[f"{HEAD}8.bias"])
    config = {"name": method, **layout.settings(state, _small(state))}
    widths = [len(state[f"{HEAD}{number}.bias"]) for number in (0, 4)]
    task = {**layout.task, "hidden": widths}
    model = adapt(
        built, config, task=task, labels=labels, num_classes=classes, host=host, verify=False
    )
    own = {f"{theirs}.{kind}": t for theirs, kind, t in _tensors(model, layout.parts)}
    known = own.keys() | built.anatomy.trunk().keys()
    odd = [name for name in own if not _fits(own[name], state.get(name))]
    _refuse(path, method, odd + [name for name in state if name not in known])
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(state[name].view_as(tensor))
    return model.eval()


def _tensors(model: AdaptedModel, parts: Any) -> Iterator[tuple[str, str, Tensor]]:
    pairs: list[tuple[str, nn.Module]] = list(parts(model.adapter))
    pairs += [
        (f"{HEAD}{number}", model.head.get_submodule(ours)) for number, ours in LAYERS.items()
    ]
    for theirs, module in pairs:
        for kind, tensor in module.state_dict(keep_vars=True).items():
            yield theirs, kind, tensor


def _fits(own: Tensor, theirs: Tensor | None) -> bool:
    """A convolution over single places is a linear layer with one axis more."""
    if theirs is None:
        return False
    return own.shape == theirs.shape or (*own.shape, 1) == theirs.shape


def _refuse(path: Path, what: str, names: list[str]) -> None:
    if names:
        shown = ", ".join(f"`{name}`" for name in sorted(names)[:4])
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        raise BundleError(
            f"`{path}` holds no `{what}`: {shown}{more} are missing, unknown or of another shape"
        )


pointgst = partial(read, method="pointgst")
ppt = partial(read, method="ppt")
stag = partial(read, method="stag")
