"""Sites on the one side, peft's names of modules on the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from onlay.anatomy import Anatomy, FrozenMap, Placement, Site
from onlay.errors import AnatomyError
from onlay_peft.config import BY_SITE, EMBEDDING, SITES, PeftMethodConfig


def layers(anatomy: Anatomy, sites: Iterable[str]) -> dict[str, FrozenMap]:
    """Name in the network -> layer, for all that write the named sites, in the network's order."""
    place = Placement(anatomy)
    maps = [map for name in sites for site in named(place, name) for map in place.maps(site)]
    found = {map.path: map for map in maps}
    return {name: found[name] for name, _ in anatomy.model.named_modules() if name in found}


def named(place: Placement, name: str) -> list[Site]:
    """`qkv.out` of every block, `blocks.3.qkv.out` of one, `embed.out` of the whole."""
    if name == EMBEDDING:
        return [place.site(name)]
    if not name.startswith("blocks."):
        return [block.site(name) for block in place.blocks]
    _, index, site = name.split(".", 2)
    found = [block.site(site) for block in place.blocks if block.index == int(index)]
    if not found:
        raise AnatomyError(f"there is no `{name}`: the backbone has {len(place.blocks)} blocks")
    return found


def by_module(config: PeftMethodConfig, anatomy: Anatomy) -> dict[str, Any]:
    """The options with names of modules where the configuration has sites.

    What names the site of one block outranks what names that of all.
    """
    options = dict(config.options)
    for name in BY_SITE:
        given = options.get(name)
        if isinstance(given, Mapping):
            broad_first = sorted(given, key=lambda site: site.startswith("blocks."))
            options[name] = {
                path: given[site] for site in broad_first for path in layers(anatomy, [site])
            }
        elif given is not None:
            options[name] = list(layers(anatomy, given))
    return options


def by_site(anatomy: Anatomy, paths: Iterable[str]) -> tuple[list[str], list[str]]:
    """The sites that layers of these names write, and the names that belong to no site.

    A site stands for all of its layers; a layer whose sisters (k beside q and v) are not among the
    names belongs to none.
    """
    wanted, sites = set(paths), []
    for site, written in _writable(anatomy):
        if written <= wanted:
            sites.append(site)
            wanted -= written
    return _collapsed(sites, anatomy), sorted(wanted)


def _writable(anatomy: Anatomy) -> Iterator[tuple[str, set[str]]]:
    place = Placement(anatomy)
    for site in anatomy.all_sites():
        if site.name in SITES or site.name == EMBEDDING:
            try:
                yield site.path, {map.path for map in place.maps(site)}
            except AnatomyError:
                continue


def _collapsed(sites: list[str], anatomy: Anatomy) -> list[str]:
    """`qkv.out` where all blocks have it."""
    shared = [
        name
        for name in SITES
        if all(f"blocks.{block.index}.{name}" in sites for block in anatomy.blocks)
    ]
    rest = [s for s in sites if s == EMBEDDING or s.split(".", 2)[2] not in shared]
    return [*shared, *rest]
