"""`onlay import peft FOLDER`: from a folder that plain peft saved to an adapted model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import peft
from torch import Tensor, nn

from onlay import PluginHost, adapt
from onlay.anatomy import BuiltBackbone
from onlay.errors import BundleError
from onlay.model.adapted import AdaptedModel
from onlay.model.assemble import as_built
from onlay.reading.statefile import read_state
from onlay_peft.catalogue import UNFIT, tuners
from onlay_peft.head import taken
from onlay_peft.places import layers
from onlay_peft.skeleton import Skeleton
from onlay_peft.translating import method_of, refuse_settings
from onlay_peft.wrapping import REFUSALS, layers_of, wrap

CONFIG = "adapter_config.json"
TENSORS = ("adapter_model.safetensors", "adapter_model.bin")


def read(
    path: str | Path,
    *,
    backbone: str | Mapping[str, Any] | nn.Module | None = None,
    backbone_out: Path | None = None,
    labels: Sequence[str] | None = None,
    host: PluginHost | None = None,
) -> AdaptedModel:
    """The model of a folder that peft saved for a timm model, its logits the same.

    Args:
        path: the folder, or a file in it.
        backbone: how to build the frozen network, or the model itself; default: what the folder
            names.
        backbone_out: not used; such a folder never holds the frozen network.
        labels: class names; default: the numbers.

    Raises:
        BundleError: no such folder, a kind of adapter that has no place here, a layer that no site
            stands for, or tensors that do not fit; says which.
    """
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    host = host or PluginHost.discover()
    raw = _description(folder)
    built = as_built(_named(raw, backbone, folder), host)
    try:
        return _adapted(folder, _configuration(folder), built, labels, host)
    except BundleError as error:
        raise BundleError(f"`{folder}` cannot be imported: {error}") from error


def _adapted(
    folder: Path,
    config: Any,
    built: BuiltBackbone,
    labels: Sequence[str] | None,
    host: PluginHost,
) -> AdaptedModel:
    refuse_settings(config)
    state = read_state(next(f for name in TENSORS if (f := folder / name).exists()))
    head = taken(state, built.module, config.modules_to_save or ())
    config.modules_to_save, config.inference_mode = None, False
    theirs = wrap(Skeleton(built.module), config, built.anatomy)
    _fill(theirs, state)
    method = method_of(theirs, built)
    model = adapt(
        built, method, labels=labels, num_classes=head.out_features, host=host, verify=False
    )
    for path, layer in layers_of(theirs, layers(built.anatomy, method.sites)).items():
        tensors = layer.state_dict()
        own = {n: t for n, t in tensors.items() if not n.startswith("base_layer.")}
        mine: Any = model.adapter.replaced.get_submodule(path)
        mine.layer.load_state_dict(own)
    model.head.fc.load_state_dict(head.state_dict())
    return model.eval()


def _description(folder: Path) -> dict[str, Any]:
    """What the folder says of itself, as far as it can be refused before peft is asked."""
    try:
        raw = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"`{folder}` is no folder of peft: no readable `{CONFIG}`") from error
    tuner = str(raw.get("peft_type") or "").lower() if isinstance(raw, dict) else ""
    if not tuner:
        raise BundleError(f"`{folder / CONFIG}` was not written by peft: it has no `peft_type`")
    if tuner not in tuners():
        why = UNFIT.get(tuner, "it adapts no linear or convolution layer")
        raise BundleError(f"`{folder}` holds a `{tuner}`, which has no place here: {why}")
    if not any((folder / name).is_file() for name in TENSORS):
        raise BundleError(f"`{folder}` lacks the file `{TENSORS[0]}`")
    return raw


def _named(raw: Mapping[str, Any], backbone: Any, folder: Path) -> Any:
    name = backbone if backbone is not None else raw.get("base_model_name_or_path")
    if not name:
        raise BundleError(
            f"`{folder}` does not say which backbone it was trained on; name it, such as"
            " `--backbone vit_base_patch16_224.augreg_in21k`"
        )
    return name.removeprefix("timm/") if isinstance(name, str) else name


def _configuration(folder: Path) -> Any:
    try:
        return peft.PeftConfig.from_pretrained(str(folder))
    except REFUSALS as error:
        raise BundleError(f"peft itself cannot read its `{CONFIG}` ({error})") from error


def _fill(model: peft.PeftModel, state: Mapping[str, Tensor]) -> None:
    """Strict both ways; peft itself passes over what is missing."""
    expected = peft.get_peft_model_state_dict(model, save_embedding_layers=False)
    if odd := sorted(expected.keys() ^ state.keys()):
        what = "is missing" if odd[0] in expected else "belongs to no layer of this backbone"
        raise BundleError(f"`{odd[0]}` {what} ({len(odd)} tensors do not agree)")
    shapes = [n for n in expected if expected[n].shape != state[n].shape]
    if shapes:
        raise BundleError(
            f"`{shapes[0]}` is {tuple(state[shapes[0]].shape)} and on this backbone should be"
            f" {tuple(expected[shapes[0]].shape)}"
        )
    peft.set_peft_model_state_dict(model, dict(state))
