"""Checking a timm name before anything is built or downloaded."""

from __future__ import annotations

from difflib import get_close_matches

import timm
from timm.models import get_arch_pretrained_cfgs, is_model_in_modules

from onlay.errors import AnatomyError, ConfigError, UnknownName
from onlay_image.anatomy import SUPPORTED
from onlay_image.backbones.config import TimmConfig

MODULES = (
    "beit",
    "deit",
    "eva",
    "swin_transformer",
    "swin_transformer_v2",
    "vision_transformer",
    "vision_transformer_hybrid",
)
"""The files of timm that define models of the supported classes."""


def check_name(config: TimmConfig) -> None:
    """Refuse what cannot be built: unknown, unsupported, untagged or without weights.

    Raises:
        UnknownName: timm has no such model, or no such weights of it.
        AnatomyError: an architecture that is not supported.
        ConfigError: weights are asked for and the name does not say which.
    """
    if ":" in config.model:
        return
    architecture, _, tag = config.model.partition(".")
    if not timm.is_model(architecture):
        raise UnknownName(_unknown_model(architecture))
    if not is_model_in_modules(architecture, list(MODULES)):
        raise AnatomyError(f"`{architecture}` cannot be adapted; supported are timm's {SUPPORTED}")
    weights = get_arch_pretrained_cfgs(architecture)
    if tag and config.model not in weights:
        raise UnknownName(f"timm has no weights `{config.model}` ({_have(weights)})")
    if config.pretrained and config.weights is None:
        _check_weights(
            config.model, tag, [name for name, cfg in weights.items() if cfg.has_weights]
        )


def _check_weights(model: str, tag: str, available: list[str]) -> None:
    if not tag and available:
        raise ConfigError(
            f"`{model}` does not say which weights; give the full tag ({_have(available)}),"
            " a local file as `weights`, or `pretrained: false`"
        )
    if model not in available:
        raise ConfigError(
            f"timm has no weights for `{model}` ({_have(available)});"
            " give a local file as `weights`, or `pretrained: false`"
        )


def _have(names: object) -> str:
    listed = [f"`{name}`" for name in names]  # type: ignore[attr-defined]
    return "have: " + (", ".join(listed) or "none")


def _unknown_model(architecture: str) -> str:
    near = get_close_matches(architecture, timm.list_models(module=list(MODULES)), n=3)
    hint = f"; did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else ""
    return f"timm has no model `{architecture}`{hint}"
