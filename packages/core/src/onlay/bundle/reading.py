"""Reading a bundle: every doubt is an error in words, nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from torch import Tensor, nn

from onlay.bundle.fingerprint import fingerprint
from onlay.bundle.hub import PREFIX, download
from onlay.bundle.manifest import FORMAT_VERSION, Manifest
from onlay.bundle.writing import CONFIG, TENSORS, untouched_trunk
from onlay.errors import BundleError, UnknownName
from onlay.firstparty import distribution_of, install
from onlay.host import PluginHost
from onlay.missing import unusable

if TYPE_CHECKING:
    from onlay.adapted import AdaptedModel
    from onlay.anatomy import BuiltBackbone


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
        allow_backbone_mismatch: load onto other backbone weights all the same.

    Raises:
        BundleError: truncated, tampered, foreign, newer, or for another backbone.
        UnknownName: the method or backbone is not installed; says what to install.
    """
    from onlay.assemble import adapt

    address = str(folder)
    folder = find(download(address) if address.startswith(PREFIX) else Path(folder))
    manifest = read_manifest(folder)
    tensors = read_tensors(folder, manifest)
    host = host or PluginHost.discover()
    check_installed(manifest, folder, host, backbone=backbone is None)
    model = adapt(
        backbone if backbone is not None else _source(manifest, folder),
        manifest.method,
        task=manifest.task,
        labels=manifest.labels,
        name=name,
        preprocessing=manifest.preprocessing,
        host=host,
        verify=False,
    )
    try:
        if not allow_backbone_mismatch:
            _check_backbone(model, manifest, folder)
        model.load_trained_state(tensors)
    except BundleError:
        model.detach()
        raise
    return model.to(device).eval()


def find(path: Path) -> Path:
    """The bundle folder that is meant: `path` itself or `path/bundle`."""
    for folder in (path, path / "bundle"):
        if (folder / CONFIG).is_file():
            return folder
    raise BundleError(f"`{path}` is no bundle and no finished run: it has no `{CONFIG}`")


def read_manifest(folder: Path) -> Manifest:
    """What a bundle says of itself, checked."""
    path = folder / CONFIG
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"`{path}` cannot be read as JSON: {error}") from error
    if not isinstance(data, dict) or data.get("library") != "onlay":
        kind = (
            "a PEFT adapter" if isinstance(data, dict) and "peft_type" in data else "something else"
        )
        raise BundleError(f"`{path}` was not written by Onlay: it describes {kind}")
    version = data.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise BundleError(
            f"`{path}` was saved by a newer Onlay"
            f" (format {version}; this one reads {FORMAT_VERSION}): {install('--upgrade', 'onlay')}"
        )
    try:
        return Manifest.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"`{path}` is damaged: `{where}`: {first['msg']}") from error


def read_tensors(folder: Path, manifest: Manifest) -> dict[str, Tensor]:
    """The trained tensors, which must be those that were written."""
    path = folder / TENSORS
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"`{path}` cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != manifest.tensors_sha256:
        try:
            from_safetensors(content)
        except SafetensorError as error:
            raise BundleError(f"`{path}` is truncated or no safetensors file: {error}") from error
        raise BundleError(f"`{path}` is not the file that was written beside `{CONFIG}`")
    return from_safetensors(content)


def check_installed(manifest: Manifest, folder: Path, host: PluginHost, *, backbone: bool) -> None:
    """Raise an `UnknownName` that says which distribution the bundle needs; asked before minutes go
    into building a backbone."""
    wanted = {"method": manifest.method, "task": manifest.task}
    if backbone and manifest.backbone.source:
        wanted["backbone"] = manifest.backbone.source
    for kind, config in wanted.items():
        try:
            host.find(kind, config["name"])
        except UnknownName as error:
            made = manifest.packages.get(kind)
            if made is None or distribution_of(kind, config["name"]):
                raise  # it says what to install where the name is one of ours
            there = [r for r in host.plugins if r.distribution == made["distribution"]]
            if there and there[0].status != "ok":
                raise unusable(kind, config["name"], there[0]) from there[0].error
            raise UnknownName(
                f"the bundle `{folder}` needs the {kind} `{config['name']}`,"
                f" which is not installed: {_to_install(**made)}"
            ) from error


def _to_install(distribution: str, version: str) -> str:
    if distribution.endswith(".py"):
        return f"it comes with a plugin file, `onlay --plugin {distribution}`"
    exactly = f"{distribution}=={version}" if version else distribution
    return f"it comes with `{distribution} {version}`: {install(exactly)}"


def _source(manifest: Manifest, folder: Path) -> Mapping[str, Any]:
    if not manifest.backbone.source:
        raise BundleError(
            f"the bundle `{folder}` was made on a model object of its user's own"
            f" (`{manifest.backbone.label}`); pass it as `backbone=`"
        )
    return manifest.backbone.source


def _check_backbone(model: AdaptedModel, manifest: Manifest, folder: Path) -> None:
    if fingerprint(untouched_trunk(model)) != manifest.backbone.fingerprint:
        raise BundleError(
            f"the bundle `{folder}` was trained on other weights of `{manifest.backbone.label}`"
            f" than `{model.built.label}` has now (fingerprints differ)"
        )
