"""The backbone inside a model object that the user holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from torch import nn

from onlay.anatomy import BuiltBackbone
from onlay.errors import AnatomyError, OnlayError, PluginError
from onlay.host import PluginHost
from onlay.host.firstparty import install
from onlay.machine.guard import guarded, in_words

Found = tuple[str, BuiltBackbone | OnlayError]
Adopter = Callable[[nn.Module], BuiltBackbone | None]


SHARDED = ("FSDP", "FullyShardedDataParallel")
"""How the classes of torch's sharded modules begin."""


def adopted(module: nn.Module, host: PluginHost) -> BuiltBackbone:
    """The one backbone that the module is, or holds at any depth.

    Raises:
        AnatomyError: there is none that an installed plugin knows, or there are several.
    """
    if any(type(each).__name__.startswith(SHARDED) for each in module.modules()):
        raise AnatomyError(
            "a module that is sharded cannot be adapted: adapt it first, then shard the result"
        )
    found = list(_inside(module, "", list(_adopters(host))))
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
    refused = [_named(module, path, e) for path, e in found if isinstance(e, OnlayError)]
    refused.sort(key=lambda each: not isinstance(each, AnatomyError))  # what is said of the model
    raise refused[0] if refused else _unknown(module, host)


def _adopters(host: PluginHost) -> Iterator[tuple[str, Adopter]]:
    """Each plugin's function, under its backbone's name; one that fails refuses every module."""
    for name, descriptor in host.backbones.items():
        if descriptor.adopt is None:
            continue
        try:
            yield name, host.load("backbone", name, "adopt")
        except PluginError as error:
            yield name, partial(_refusing, error)


def _refusing(error: PluginError, module: nn.Module) -> None:
    raise error


def _inside(module: nn.Module, path: str, adopters: list[tuple[str, Adopter]]) -> Iterator[Found]:
    """Backbones, each with its place, and on the way to them what plugins refuse in words."""
    for name, adopt in adopters:
        failures: list[BaseException] = []
        built = None
        with guarded(failures.append):
            built = adopt(module)
        yield from ((path, _in_words(error, name)) for error in failures)
        if built is not None:
            yield path, built
            return
    for name, child in module.named_children():
        yield from _inside(child, f"{path}.{name}".lstrip("."), adopters)


def _named(module: nn.Module, path: str, error: OnlayError) -> OnlayError:
    """What is said of a part says also of what it is a part: the user gave that."""
    if not path or type(error) is not AnatomyError:
        return error
    told = AnatomyError(
        f"a `{type(module).__name__}` holds no backbone that can be adapted; of `{path}`: {error}"
    )
    told.__cause__ = error
    return told


def _in_words(error: BaseException, name: str) -> OnlayError:
    if isinstance(error, OnlayError):
        return error
    told = PluginError(f"backbone `{name}` failed in `adopt`: {in_words(error)}")
    told.__cause__ = error
    return told


def _unknown(module: nn.Module, host: PluginHost) -> AnatomyError:
    have = ", ".join(sorted(host.backbones)) or f"none; {install('onlay-image')}"
    return AnatomyError(
        f"no installed plugin knows the anatomy of a `{type(module).__name__}` (backbones: {have})"
    )
