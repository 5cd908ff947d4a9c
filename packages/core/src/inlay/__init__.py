"""Inlay adapts frozen vision backbones with adapters of a few hundred kilobytes.

>>> model = inlay.adapt("inlay_vit_64", "arc", labels=["cat", "dog"])  # doctest: +SKIP
>>> model.save_pretrained("pets")  # doctest: +SKIP
>>> inlay.load("pets")  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inlay.assemble import adapt
    from inlay.bundle import load
    from inlay.hooks import hookimpl
    from inlay.host import PluginHost

    __version__: str

__all__ = ["PluginHost", "__version__", "adapt", "hookimpl", "load"]

_HOMES = {
    "adapt": "inlay.assemble",
    "load": "inlay.bundle",
    "hookimpl": "inlay.hooks",
    "PluginHost": "inlay.host",
}


def __getattr__(name: str) -> Any:  # so that `import inlay` costs nothing, least of all torch
    if name == "__version__":
        from importlib.metadata import version

        return version("inlay")
    if name not in _HOMES:
        raise AttributeError(f"module `inlay` has no attribute `{name}`")
    return getattr(import_module(_HOMES[name]), name)
