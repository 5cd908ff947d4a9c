"""From a bundle of the method `peft` to a folder that plain peft loads on a timm model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from onlay.errors import BundleError
from onlay.model.adapted import AdaptedModel
from onlay_peft.config import PeftMethodConfig
from onlay_peft.head import classifier_of
from onlay_peft.places import layers
from onlay_peft.wrapping import layers_of, wrapped


def export(model: AdaptedModel, folder: str | Path) -> str:
    """Write peft's `adapter_config.json`, `adapter_model.safetensors` and `README.md`.

    `PeftModel.from_pretrained(timm_model, folder)` then gives the outputs of `model`; the head goes
    along as `modules_to_save`, if the timm model's classifier can be it.

    Returns:
        Why the head stays behind, as it does on clouds; empty if it goes along.

    Raises:
        BundleError: an adapter of another method, a folder that is there already, or a backbone on
            which plain peft's layers do nothing.
    """
    folder, config = Path(folder), model.method
    if not isinstance(config, PeftMethodConfig):
        raise BundleError(
            f"the adapter is one of `{config.name}`, and only those of `peft` are peft's to read"
        )
    if folder.exists():
        raise BundleError(f"`{folder}` is there already: give another name or remove it")
    maps = layers(model.anatomy, config.sites)
    for map in maps.values():
        if not map.called:
            raise BundleError(
                f"`{model.built.label}` reads the weight of `{map.path}` and never calls it, so"
                " that plain peft's adapters do nothing there: merge the bundle instead"
            )
    name, head = classifier_of(model)
    theirs = wrapped(model.anatomy, config, head=None if head is None else (name, head))
    for path, layer in layers_of(theirs, maps).items():
        own: Any = model.adapter.replaced.get_submodule(path)
        assert not layer.load_state_dict(own.layer.state_dict(), strict=False).unexpected_keys
    theirs.peft_config["default"].base_model_name_or_path = model.built.source.get("model")
    theirs.save_pretrained(str(folder), save_embedding_layers=False)
    _tell_class(folder / "adapter_config.json", type(model.backbone))
    return name if head is None else ""


def _tell_class(path: Path, kind: type) -> None:
    """peft notes the class that it wrapped: here the network's, and not its skeleton's."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config["auto_mapping"] = {
        "base_model_class": kind.__name__,
        "parent_library": kind.__module__,
    }
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
