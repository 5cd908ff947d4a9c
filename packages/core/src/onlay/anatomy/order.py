"""What comes before what in one forward pass, and what is refused because it does not."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from onlay.anatomy.parts import MODEL_SITES, Site
from onlay.anatomy.wires import Branch, Source, Wire
from onlay.errors import AnatomyError

Moment = tuple[int, int, int, int]
ADDED, LEAVES, CARRIED = range(3)
"""At one site: branches have added (to one part after the other, then to the whole), the tensor
leaves the site, carried wires are made."""


def block_of(site: Site) -> int | None:
    """The index of its block; none for a site of the whole."""
    kind, _, rest = site.path.partition(".")
    return int(rest.split(".")[0]) if kind == "blocks" else None


def moment(source: Source) -> Moment:
    """When its tensor is there; moments compare."""
    if isinstance(source, Wire):
        phase = ADDED if isinstance(source, Branch) else CARRIED
        return _at(source.target, phase)
    return _at(source, LEAVES)


def _at(site: Site, phase: int) -> Moment:
    return (*_place(site), phase, site.width if site.whole is None else site.start)


def _place(site: Site) -> tuple[int, int]:
    block = block_of(site)
    if block is not None:
        return block, site.order
    return (-1, MODEL_SITES.index(site.name)) if site.name != "norm.out" else (2**31, 0)


def place_of(source: Source) -> Site:
    """The site at which its tensor is there."""
    return source.target if isinstance(source, Wire) else source


def refuse_later(sources: Sequence[Source], target: Site, phase: int) -> None:
    """Every source must be there when `target` is at `phase`.

    Raises:
        AnatomyError: one comes later.
    """
    for source in sources:
        if moment(source) > _at(target, phase):
            raise AnatomyError(
                "a tensor leads forward in one pass:"
                f" `{place_of(source).path}` does not come before `{target.path}`"
            )


def refuse_no_module(module: object, verb: str) -> None:
    """Whatever a verb is handed is registered, trained and saved: a module.

    Raises:
        AnatomyError: it is something else.
    """
    if not isinstance(module, nn.Module):
        raise AnatomyError(f"`{verb}` wants a `torch.nn.Module`, not a `{type(module).__name__}`")


def refuse_count(count: int) -> None:
    """
    Raises:
        AnatomyError: not at least one.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise AnatomyError(f"`count` is how many rows are put in, at least 1, not {count!r}")
