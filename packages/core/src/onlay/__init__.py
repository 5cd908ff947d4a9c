"""Onlay adapts frozen vision backbones with small adapters.

>>> model = onlay.adapt("onlay_vit_64", "arc", labels=["cat", "dog"])  # doctest: +SKIP
>>> model.save_pretrained("pets")  # doctest: +SKIP
>>> onlay.load("pets")  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onlay.hooks import hookimpl
    from onlay.host import PluginHost
    from onlay.model.assemble import adapt
    from onlay.model.loading import load

    __version__: str

__all__ = ["PluginHost", "__version__", "adapt", "hookimpl", "load"]

_HOMES = {
    "adapt": "onlay.model.assemble",
    "load": "onlay.model.loading",
    "hookimpl": "onlay.hooks",
    "PluginHost": "onlay.host",
}


def __getattr__(name: str) -> Any:  # so that `import onlay` costs nothing, least of all torch
    if name == "__version__":
        from importlib.metadata import version

        return version("onlay")
    if name not in _HOMES:
        raise AttributeError(f"module `onlay` has no attribute `{name}`")
    return getattr(import_module(_HOMES[name]), name)
