"""From a config, or from a model that the user holds, to a backbone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import timm
import torch
from timm.data import resolve_data_config
from torch import nn

from onlay.anatomy import Anatomy, BuiltBackbone
from onlay.errors import ConfigError
from onlay.machine.fetching import quiet_hub, why
from onlay_image.anatomy import FAMILIES, dissect
from onlay_image.anatomy.inputs import patch_of
from onlay_image.anatomy.pooling import pooling_arguments
from onlay_image.backbones.channels import COLOURS, channels_of, spread
from onlay_image.backbones.config import TimmConfig
from onlay_image.backbones.names import check_name
from onlay_image.backbones.sizes import Size, pair, rounded_up
from onlay_image.backbones.stem import with_stem
from onlay_image.backbones.weights import load_weights
from onlay_image.data.preparing import squashed
from onlay_image.timm_types import TimmModule


def build(config: TimmConfig) -> BuiltBackbone:
    """Create the model with its weights, without the classifier that they came with.

    Raises:
        UnknownName, ConfigError, AnatomyError: the name, see `check_name`; weights that cannot be
            fetched.
        BundleError: a local file that cannot be read, or that belongs to another architecture.
    """
    check_name(config)
    model = _fitting(config, pretrained=config.pretrained and config.weights is None)
    if config.weights is not None:
        load_weights(model, config.weights)
    model.reset_classifier(0)
    source = config.model_dump(mode="json")
    return _built(dissect(model), source=source, label=config.model, size=config.img_size)


def _fitting(config: TimmConfig, *, pretrained: bool) -> TimmModule:
    """Of whole patches: what lacks in images is padded where somebody reads maps of them."""
    model = _create(config, pretrained=pretrained)
    if config.img_size is None:
        return model
    whole = rounded_up(pair(config.img_size), patch_of(model))
    if whole == pair(config.img_size):
        return model
    return _create(config.model_copy(update={"img_size": whole}), pretrained=pretrained)


def adopt(module: nn.Module) -> BuiltBackbone | None:
    """A timm model that the user already holds, as it is; `None` for a module that is not timm's.

    Raises:
        AnatomyError: a model of timm of which the anatomy is not known, or of a class that somebody
            made from one of timm's.
    """
    if not type(module).__module__.startswith("timm.") and not isinstance(module, FAMILIES):
        return None
    anatomy = dissect(module)
    source = _source(module)
    return _built(anatomy, source=source, label=source.get("model", type(module).__name__))


def _built(
    anatomy: Anatomy, *, source: Mapping[str, Any], label: str, size: Size | None = None
) -> BuiltBackbone:
    model = anatomy.model
    return BuiltBackbone(
        module=model,
        anatomy=anatomy,
        modality="image",
        input_spec=input_spec(model) | ({"img_size": list(pair(size))} if size else {}),
        source=source,
        label=label,
    )


def input_spec(model: TimmModule) -> dict[str, Any]:
    """What the model was pretrained to read: size, channels, normalisation, and timm's resizing
    for evaluation.
    """
    facts: Mapping[str, Any] = resolve_data_config(model=model)
    in_chans = channels_of(model)
    return {
        "img_size": list(model.patch_embed.img_size),
        "dynamic_img_size": not model.patch_embed.strict_img_size,
        "resize": squashed(facts["crop_pct"]) if facts["crop_mode"] == "squash" else "crop",
        "crop_pct": facts["crop_pct"],
        "interpolation": facts["interpolation"],
        "mean": spread(facts["mean"], in_chans),
        "std": spread(facts["std"], in_chans),
        "in_chans": in_chans,
    }


def _create(config: TimmConfig, *, pretrained: bool) -> TimmModule:
    kwargs: dict[str, Any] = {"img_size": config.img_size, "drop_path_rate": config.drop_path}
    if config.dynamic_img_size:
        swin = config.model.rpartition("/")[2].startswith("swin")
        kwargs |= {"strict_img_size": False} if swin else {"dynamic_img_size": True}
    if config.in_chans is not None:
        kwargs["in_chans"] = config.in_chans
    try:
        with quiet_hub(), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            return timm.create_model(
                config.model, pretrained=pretrained, **kwargs, **with_stem(config.model_kwargs)
            )
    except (TypeError, AssertionError) as error:
        raise ConfigError(_no_argument(config, error)) from error
    except (OSError, RuntimeError, ValueError) as error:
        if not pretrained and ":" not in config.model:
            raise ConfigError(
                f"timm cannot build `{config.model}` with this `img_size` and these `model_kwargs`"
            ) from error
        raise _not_fetched(config.model, error) from error


def _no_argument(config: TimmConfig, error: TypeError | AssertionError) -> str:
    """The argument that the model does not take, if that is what is wrong."""
    found = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if found is None:
        return f"timm cannot build `{config.model}` with these `model_kwargs`"
    where = "model_kwargs." if found[1] in config.model_kwargs else ""
    return f"timm's `{config.model}` takes no `{where}{found[1]}`"


def _not_fetched(model: str, error: Exception) -> ConfigError:
    """Offline, gated, misspelt, or a hub's model that timm does not know."""
    if unknown := re.match(r"Unknown model \((.*)\)", str(error)):
        return ConfigError(f"`{model}` is a `{unknown[1]}`, and timm has no such architecture")
    return ConfigError(
        f"the weights of `{model}` cannot be fetched: {why(error)};"
        " go online once, or give a local file as `weights`"
    )


def _source(model: TimmModule) -> dict[str, Any]:
    """A config from which timm would build the same model; empty if none can be told."""
    facts = dict(getattr(model, "pretrained_cfg", None) or {})
    name = ".".join(part for part in (facts.get("architecture"), facts.get("tag")) if part)
    if not (facts.get("tag") and timm.is_model(facts["architecture"])):
        return {}
    extra, pooling = dict(getattr(model, "_model_args", {})), pooling_arguments(model)
    if pooling is None:
        return {}
    drop_path, in_chans = extra.pop("drop_path_rate", None), channels_of(model)
    for own in ("num_classes", "in_chans", "img_size"):
        extra.pop(own, None)
    try:
        extra = json.loads(json.dumps(extra | pooling))
    except TypeError:
        return {}
    config = TimmConfig(
        model=name,
        img_size=model.patch_embed.img_size,
        in_chans=in_chans if in_chans != COLOURS else None,
        drop_path=drop_path,
        model_kwargs=extra,
    )
    return config.model_dump(mode="json")
