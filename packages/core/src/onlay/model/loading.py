"""Loading a bundle onto a backbone: every doubt is an error in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from onlay.bundle.fingerprint import narrow_dtype, same_weights
from onlay.bundle.hub import PREFIX, download
from onlay.bundle.manifest import Manifest
from onlay.bundle.reading import find, read_manifest, read_tensors
from onlay.bundle.writing import CONFIG, TENSORS
from onlay.errors import BundleError, OnlayError
from onlay.host import PluginHost
from onlay.host.missing import find_made
from onlay.machine.devices import usable
from onlay.machine.disk import path_of
from onlay.model.assemble import adapt
from onlay.model.beyond_weights import check_beyond_weights
from onlay.model.preprocessing import check as check_preprocessing
from onlay.model.saving import untouched_trunk

if TYPE_CHECKING:
    from onlay.anatomy import BuiltBackbone
    from onlay.model.adapted import AdaptedModel


@torch.inference_mode(False)
def load(
    folder: str | Path,
    *,
    backbone: str | Mapping[str, Any] | nn.Module | BuiltBackbone | None = None,
    host: PluginHost | None = None,
    name: str = "default",
    device: str = "cpu",
    allow_backbone_mismatch: bool = False,
) -> AdaptedModel:
    """The adapted model of a bundle, in evaluation mode.

    Args:
        folder: a bundle, a run that holds one as `bundle/`, or `hf-hub:user/name[@revision]`.
        backbone: a model object to put the adapter on, or another way to build it; default: as the
            bundle says.
        name: the adapter's name on that backbone.
        device: where the model goes.
        allow_backbone_mismatch: load onto another backbone all the same: other weights, pooling,
            `eps` of norms or size of inputs.

    The model reads files as the bundle says, to the size at which it was trained, also on a
    `backbone` that was made for another size and takes any.

    Raises:
        BundleError: truncated, tampered, foreign, newer, or for another backbone.
        ConfigError: `folder` is no path, or `device` none that torch finds.
        UnknownName: the method or backbone is not installed; says what to install.
    """
    given, address = path_of(folder), str(folder)
    usable(device)
    folder = find(download(address) if address.startswith(PREFIX) else given)
    manifest = read_manifest(folder)
    tensors = read_tensors(folder, manifest)
    host = host or PluginHost.discover()
    check_installed(manifest, folder, host, backbone=backbone is None)
    if modality := host.modalities.get(manifest.modality):
        where = f"`{folder / CONFIG}` is damaged"
        check_preprocessing(modality, manifest.preprocessing, where, whole=False)
    backbone = backbone if backbone is not None else _source(manifest, folder)
    with _buildable(folder):
        model = adapt(
            backbone,
            manifest.method,
            task=manifest.task,
            labels=manifest.labels,
            name=name,
            preprocessing=manifest.preprocessing,
            host=host,
            verify=False,
        )
    model.packages = manifest.packages | model.packages
    try:
        if not allow_backbone_mismatch:
            _check_backbone(model, manifest, folder)
            check_beyond_weights(model, manifest.backbone, f"the bundle `{folder}`")
        _check_kinds(model.trained_state(), tensors, folder / TENSORS)
        model.load_trained_state(tensors)
        _check_sites(model, manifest, folder)
    except OnlayError:
        model.detach()
        raise
    return model.to(device).eval()


_REAL = frozenset({torch.float64, torch.float32, torch.bfloat16, torch.float16})


def _check_kinds(own: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    """Real numbers may be of another precision; nothing else is converted, and all are finite."""
    for name in sorted(own.keys() & found.keys()):
        here, there = own[name].dtype, found[name].dtype
        if here != there and not {here, there} <= _REAL:
            raise BundleError(f"`{path}`: `{name}` holds {_kind(there)} and should {_kind(here)}")
        if there.is_floating_point and not bool(torch.isfinite(found[name]).all()):
            raise BundleError(f"`{path}`: `{name}` holds numbers that are not finite")


def _check_sites(model: AdaptedModel, manifest: Manifest, folder: Path) -> None:
    now = list(model.adapter.sites)
    if manifest.sites != now:
        other = min(set(manifest.sites) ^ set(now), default="their order")
        raise BundleError(
            f"the bundle `{folder}` acts at other sites than `{model.method.name}` takes with these"
            f" settings (`{other}`): the plugin's version differs, or the manifest was changed"
        )


def _kind(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


@contextmanager
def _buildable(folder: Path) -> Iterator[None]:
    """A manifest can ask for more than any machine has."""
    try:
        yield
    except OnlayError:
        raise
    except (RuntimeError, MemoryError, OverflowError) as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise BundleError(f"what `{folder}` describes cannot be built: {reason}") from error


def check_installed(manifest: Manifest, folder: Path, host: PluginHost, *, backbone: bool) -> None:
    """Raise an `UnknownName` that says which distribution the bundle needs; asked before minutes go
    into building a backbone."""
    inner = {kind: block for kind, block in manifest.task.items() if kind in manifest.packages}
    wanted = {"method": manifest.method, "task": manifest.task, **inner}
    if backbone and manifest.backbone.source:
        wanted["backbone"] = manifest.backbone.source
    for kind, config in wanted.items():
        made = manifest.packages.get(kind)
        find_made(host, kind, config["name"], made, f"the bundle `{folder}`")


def _source(manifest: Manifest, folder: Path) -> Mapping[str, Any]:
    if not manifest.backbone.source:
        raise BundleError(
            f"the bundle `{folder}` was made on a model object of its user's own"
            f" (`{manifest.backbone.label}`); pass it as `backbone=`"
        )
    return manifest.backbone.source


def _check_backbone(model: AdaptedModel, manifest: Manifest, folder: Path) -> None:
    trunk = untouched_trunk(model)
    if same_weights(trunk, manifest.backbone):
        return
    narrow = narrow_dtype(trunk)
    why = (
        f"fingerprints differ, also for its dtype, `{narrow}`: load onto the weights in float32"
        f" and convert the model afterwards"
        if narrow
        else "fingerprints differ"
    )
    raise BundleError(
        f"the bundle `{folder}` was trained on other weights of `{manifest.backbone.label}`"
        f" than `{model.built.label}` has now ({why}){_since(model, manifest)}"
    )


def _since(model: AdaptedModel, manifest: Manifest) -> str:
    """What to do about a backbone whose weights may have come with another version of what
    registers it."""
    made, now = manifest.packages.get("backbone", {}), model.packages.get("backbone", {})
    same = manifest.backbone.source.get("name") == model.built.source.get("name")
    if not same or made.get("version") == now.get("version"):
        return ""
    return (
        f": it was made with `{made.get('distribution')}` {made.get('version')}, and"
        f" {now.get('version')} is installed; install that version for the weights that it"
        f" brought, or train again on those of today"
    )
