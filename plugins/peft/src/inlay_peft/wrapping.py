"""peft at work on a skeleton: its own configuration, its own layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_type_hints

import peft
from peft.tuners.tuners_utils import BaseTunerLayer
from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from torch import nn

from inlay.anatomy import Anatomy
from inlay.errors import AnatomyError, ConfigError
from inlay_peft.config import PeftMethodConfig
from inlay_peft.places import by_module, layers
from inlay_peft.skeleton import Skeleton

REFUSALS = (ValueError, TypeError, KeyError, IndexError, RuntimeError, NotImplementedError)
"""What peft raises at settings that do not suit a layer."""


def wrapped(anatomy: Anatomy, config: PeftMethodConfig, **more: Any) -> peft.PeftModel:
    """A `PeftModel` over a skeleton of the backbone; `more` are options of peft's configuration.

    Raises:
        ConfigError: a value that peft does not take, or that changes the frozen weights.
        AnatomyError: a site that the backbone has not.
    """
    paths = list(layers(anatomy, config.sites))
    made = configuration(config, by_module(config, anatomy), target_modules=paths, **more)
    skeleton = Skeleton(anatomy.model)
    try:
        model = peft.get_peft_model(skeleton, made)
    except REFUSALS as error:
        raise ConfigError(f"peft cannot make `{config.tuner}` here: {_said(error)}") from error
    _check(anatomy.model, skeleton, paths, config)
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


def layers_of(model: peft.PeftModel, paths: Iterable[str]) -> dict[str, Any]:
    """peft's layer for each name in the network."""
    tree = model.get_base_model()
    return {path: tree.get_submodule(path) for path in paths}


def _typed(hint: Any, name: str, value: Any) -> Any:
    try:
        adapter = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticSchemaGenerationError:
        return value
    except Exception:
        raise
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"]
        raise ConfigError(f"method.options.{name}: {said} (got `{value}`)") from error


def _check(
    model: nn.Module, skeleton: Skeleton, paths: Iterable[str], config: PeftMethodConfig
) -> None:
    """peft warns and goes on where it finds nothing to do; and some inits move frozen weights."""
    for path in paths:
        layer, own = skeleton.get_submodule(path), model.get_submodule(path)
        if not isinstance(layer, BaseTunerLayer):
            raise AnatomyError(f"peft's `{config.tuner}` passes over `{path}`")
        if layer.get_base_layer().weight.data_ptr() != own.weight.data_ptr():
            raise ConfigError(
                f"`{config.tuner}` with these options starts by changing the frozen weights, which"
                " adapters share: choose another initialisation"
            )


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
