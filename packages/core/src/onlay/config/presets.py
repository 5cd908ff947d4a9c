"""A method's named recipes."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from onlay.descriptors import Method
from onlay.errors import UnknownName


def preset_of(method: Method, name: str) -> Mapping[str, Any]:
    """The overrides of a run that the recipe consists of; `UnknownName` lists the recipes."""
    if name in method.presets:
        return method.presets[name]
    near = get_close_matches(name, method.presets, n=1)
    have = ", ".join([*method.presets][:8]) + (", ..." if len(method.presets) > 8 else "")
    hint = f"did you mean `{near[0]}`?" if near else f"`onlay explain {method.name}` lists them"
    raise UnknownName(
        f"method `{method.name}` has no preset `{name}` (have: {have or 'none'}); {hint}"
    )
