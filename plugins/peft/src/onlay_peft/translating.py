"""peft's configuration in this method's words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any

import peft
from peft.utils.other import get_pattern_key

from onlay.anatomy import Anatomy, BuiltBackbone
from onlay.errors import BundleError
from onlay_peft.catalogue import tuners
from onlay_peft.config import BY_SITE, PeftMethodConfig
from onlay_peft.places import by_site, layers
from onlay_peft.wrapping import targets_of, tuner_of

REFUSED = {
    "bias": "it trains biases of the frozen network",
    "target_parameters": "it adapts parameters, and not layers",
    "trainable_token_indices": "it trains rows of an embedding of words",
    "layer_replication": "it repeats blocks of the network",
}
"""Settings of peft that have no counterpart -> what they do."""


def refuse_settings(config: peft.PeftConfig) -> None:
    """Raise a `BundleError` for a setting without a counterpart."""
    for name, why in REFUSED.items():
        if getattr(config, name, None) not in (None, "none", [], ()):
            raise BundleError(f"its `{name}` has no counterpart here: {why}")


def method_of(model: peft.PeftModel, built: BuiltBackbone) -> PeftMethodConfig:
    """The configuration that makes the layers of a wrapped skeleton.

    Raises:
        BundleError: a layer that no site stands for, or on which plain peft does nothing.
    """
    config, anatomy = model.peft_config["default"], built.anatomy
    paths = targets_of(model)
    sites = _sites(anatomy, paths)
    for map in layers(anatomy, sites).values():
        if not map.called:
            raise BundleError(
                f"`{built.label}` reads the weight of `{map.path}` and never calls it, so that"
                " plain peft's adapter never acted there; train one with the method `peft`"
            )
    tuner = tuner_of(config)
    return PeftMethodConfig(tuner=tuner, sites=tuple(sites), options=_options(model, anatomy))


def _sites(anatomy: Anatomy, paths: Iterable[str]) -> list[str]:
    sites, rest = by_site(anatomy, paths)
    if rest:
        more = f" (and {len(rest) - 1} more)" if len(rest) > 1 else ""
        raise BundleError(f"no site stands for what it adapts, `{rest[0]}`{more}")
    return sites


def _options(model: peft.PeftModel, anatomy: Anatomy) -> dict[str, Any]:
    config = model.peft_config["default"]
    defaults = {f.name: _default(f) for f in fields(config)}
    values = {name: getattr(config, name) for name in tuners()[tuner_of(config)]}
    options = {
        name: value
        for name, value in values.items()
        if name not in BY_SITE and value != defaults.get(name) and not name.startswith("init")
    }
    for name in ("rank_pattern", "alpha_pattern"):
        if values.get(name):
            options[name] = _by_site(model, anatomy, values[name])
    if values.get("feedforward_modules"):
        options["feedforward_modules"] = _sites(anatomy, _feedforward(model))
    return options


def _by_site(
    model: peft.PeftModel, anatomy: Anatomy, patterns: Mapping[str, Any]
) -> dict[str, Any]:
    """A number for each site instead of one for each regular expression."""
    paths = defaultdict(list)
    for path in targets_of(model):
        key = get_pattern_key(list(patterns), path)
        if key in patterns:
            paths[patterns[key]].append(path)
    return {site: value for value, own in paths.items() for site in _sites(anatomy, own)}


def _feedforward(model: peft.PeftModel) -> list[str]:
    tree = model.get_base_model()
    return [
        path
        for path in targets_of(model)
        if getattr(tree.get_submodule(path), "is_feedforward", False)
    ]


def _default(field: Any) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()
