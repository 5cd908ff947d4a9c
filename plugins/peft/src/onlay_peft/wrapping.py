"""peft at work on a skeleton: its own configuration, its own layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_type_hints

import peft
import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from torch import nn

from onlay.anatomy import Anatomy
from onlay.anatomy.targets import ComputedLayer, refuse_made_anew
from onlay.errors import AnatomyError, ConfigError
from onlay_peft.config import PeftMethodConfig
from onlay_peft.places import by_module, layers
from onlay_peft.skeleton import Skeleton, put

REFUSALS = (ValueError, TypeError, LookupError, AttributeError, RuntimeError)
"""What peft raises at settings that do not suit a layer."""


def wrapped(
    anatomy: Anatomy, config: PeftMethodConfig, head: tuple[str, nn.Linear] | None = None
) -> peft.PeftModel:
    """A `PeftModel` over a skeleton of the backbone; `head` is name and layer of a classifier.

    Raises:
        ConfigError: a value that peft does not take, or that changes the frozen weights.
        AnatomyError: a site that the backbone has not, or a layer there that makes its weight anew
            at each call.
    """
    paths = list(layers(anatomy, config.sites))
    for path in paths:  # peft's layer would compute with the weight of this moment
        _refuse_made_anew(path, anatomy.model.get_submodule(path))
    skeleton, saved = Skeleton(anatomy.model, paths), None
    if head is not None:
        put(skeleton, *head)
        saved = [head[0]]
    more: dict[str, Any] = {"target_modules": paths, "modules_to_save": saved}
    return wrap(skeleton, configuration(config, by_module(config, anatomy), **more), anatomy)


def wrap(skeleton: Skeleton, config: peft.PeftConfig, anatomy: Anatomy) -> peft.PeftModel:
    """Let peft put its layers into the skeleton of a backbone, and see that it does."""
    tuner = tuner_of(config)
    try:
        model = peft.get_peft_model(skeleton, config)
    except REFUSALS as error:
        raise ConfigError(f"peft cannot make `{tuner}` here: {_said(error)}") from error
    for path in targets_of(model):
        layer: Any = skeleton.get_submodule(path)
        own: Any = anatomy.model.get_submodule(path)
        if not torch.equal(layer.get_base_layer().weight, own.weight):
            raise ConfigError(
                f"`{tuner}` with these options starts by changing the frozen weights, which"
                " adapters share: choose another initialisation"
            )
    return model


def configuration(
    config: PeftMethodConfig, options: Mapping[str, Any], **more: Any
) -> peft.PeftConfig:
    """peft's configuration object, every option checked against the type of its field."""
    kind = peft.PEFT_TYPE_TO_CONFIG_MAPPING[peft.PeftType(config.tuner.upper())]
    hints = get_type_hints(kind)
    if "feedforward_modules" in hints:  # peft knows them by heart for language models alone
        options = {"feedforward_modules": [], **options}
    typed = {name: _typed(hints[name], name, value) for name, value in options.items()}
    try:
        return kind(**typed, **more)
    except REFUSALS as error:
        raise ConfigError(
            f"peft refuses the options of `{config.tuner}`: {_said(error)}"
        ) from error


def tuner_of(config: Any) -> str:
    """`lora` for peft's `LoraConfig`."""
    return peft.PeftType(config.peft_type).value.lower()


def targets_of(model: Any) -> list[str]:
    """Names in the network of the layers that peft has wrapped."""
    return list(model.base_model.targeted_module_names)


def layers_of(model: peft.PeftModel, paths: Iterable[str]) -> dict[str, Any]:
    """peft's layer for each name in the network."""
    tree = model.get_base_model()
    found: dict[str, Any] = {path: tree.get_submodule(path) for path in paths}
    for path, layer in found.items():
        if not isinstance(layer, BaseTunerLayer):
            raise AnatomyError(f"peft passes over the layer `{path}`; leave its site out")
    return found


def _refuse_made_anew(path: str, layer: nn.Module) -> None:
    try:
        refuse_made_anew(layer)
    except ComputedLayer as error:
        raise AnatomyError(error.told(f"`{path}`")) from error


def _typed(hint: Any, name: str, value: Any) -> Any:
    try:
        adapter = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticSchemaGenerationError:  # a class of peft's own: peft checks it
        return value
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"]
        raise ConfigError(f"method.options.{name}: {said} (got `{value}`)") from error


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
