"""The backbone inside a model object that the user holds."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from onlay.anatomy import BuiltBackbone
from onlay.descriptors import resolve
from onlay.errors import AnatomyError
from onlay.firstparty import install
from onlay.host import PluginHost

Found = tuple[str, BuiltBackbone | AnatomyError]


def adopted(module: nn.Module, host: PluginHost) -> BuiltBackbone:
    """The one backbone that the module is, or holds at any depth.

    Raises:
        AnatomyError: there is none that an installed plugin knows, or there are several.
    """
    found = list(_inside(module, "", host))
    built = {id(e.module): (path, e) for path, e in found if isinstance(e, BuiltBackbone)}
    if len(built) == 1:
        return next(iter(built.values()))[1]
    if built:
        paths = " and ".join(f"`{path}`" for path, _ in list(built.values())[:2])
        more = f" and {len(built) - 2} more" if len(built) > 2 else ""
        raise AnatomyError(
            f"a `{type(module).__name__}` with several backbones, {paths}{more}: give the one that"
            " is to be adapted"
        )
    raise next(
        (each for _, each in found if isinstance(each, AnatomyError)), _unknown(module, host)
    )


def _inside(module: nn.Module, path: str, host: PluginHost) -> Iterator[Found]:
    """Backbones, each with its place, and on the way to them what plugins refuse in words."""
    for descriptor in host.backbones.values():
        try:
            built = resolve(descriptor.adopt)(module) if descriptor.adopt else None
        except AnatomyError as error:
            yield path, error
            continue
        if built is not None:
            yield path, built
            return
    for name, child in module.named_children():
        yield from _inside(child, f"{path}.{name}".lstrip("."), host)


def _unknown(module: nn.Module, host: PluginHost) -> AnatomyError:
    have = ", ".join(sorted(host.backbones)) or f"none; {install('onlay-image')}"
    return AnatomyError(
        f"no installed plugin knows the anatomy of a `{type(module).__name__}` (backbones: {have})"
    )
