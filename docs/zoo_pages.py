"""The tables of all methods: from their descriptors, and from `zoo.json`, which `zoo.py` wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from block_picture import picture
from tables import table

from onlay import PluginHost

FILE = Path(__file__).parent / "explanation" / "zoo.json"
ARXIV = re.compile(r"arXiv:([\d.]+\d)")


def written() -> dict[str, dict[str, Any]]:
    """Network -> its size and cost, and of every method what `zoo.py` saw, or none."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def kinds(host: PluginHost) -> Iterator[str]:
    """Where each method acts, whether that depends on the input, whether it merges, since when."""
    networks = written()
    head = ("method", "what it is", "where it acts", "depends on the input", "merges", "year")
    yield from table(head, (kind(name, networks, host) for name in host.methods))


def kind(name: str, networks: Mapping[str, Any], host: PluginHost) -> Iterator[str]:
    method = host.methods[name]
    yield named(name, host.owner("method", name).name)
    yield from (method.summary, where(name, networks), method.dynamic or "static")
    yield from (merges(name, networks), linked(method.year, method.citation))


def named(name: str, plugin: str) -> str:
    """With a link to the page about the method, or about its plugin."""
    pages = (page for page in (name, plugin) if FILE.with_name(f"{page}.md").exists())
    page = next(pages, None)
    return f"`{name}`" if page is None else f"[`{name}`]({page}.md)"


def acts(name: str) -> Iterator[str]:
    """A picture of where a method acts, on the first network that takes it."""
    yield '<figure class="wide" tabindex="0">'
    yield picture(name, found(name, written())["acts"])
    yield f"<figcaption><code>{name}</code></figcaption>\n</figure>"


def found(name: str, networks: Mapping[str, Any]) -> dict[str, Any]:
    """What was seen on the first network that takes the method."""
    rows = (network["methods"].get(name) for network in networks.values())
    return next(filter(None, rows), {"acts": {}})


def where(name: str, networks: Mapping[str, Any]) -> str:
    """By the verbs."""
    acts = found(name, networks)["acts"]
    return "; ".join(f"{verb} {places(all)}" for verb, all in acts.items()) or "-"


def places(all: list[Any]) -> str:
    """Sites and layers; of what leads from one to another both."""
    return ", ".join(f"`{place}`" if isinstance(place, str) else led(place) for place in all)


def led(wire: list[str]) -> str:
    *sources, target = wire
    return " and ".join(f"`{source}`" for source in sources) + f" → `{target}`"


def merges(name: str, networks: Mapping[str, Any]) -> str:
    """`yes`, `no`, or on which of the networks alone."""
    told = {
        label: row["merges"] for label, n in networks.items() if (row := n["methods"].get(name))
    }
    where = [label for label, merged in told.items() if merged]
    return "yes" if where and len(where) == len(told) else " and ".join(where) or "no"


def linked(year: str, citation: str) -> str:
    number = ARXIV.search(citation)
    return f"[{year}](https://arxiv.org/abs/{number[1]})" if number and year else year


def counts(host: PluginHost) -> Iterator[str]:
    """What each trains beside a head, and what one input costs more than in the bare network."""
    networks = written()
    head = ["method"]
    for network in networks:
        head += [f"trained, {network}", "share", "extra FLOPs"]
    rows = (
        (f"`{name}`", *(cell for n in networks.values() for cell in counted(n, name)))
        for name in host.methods
    )
    yield from table(tuple(head), rows)


def counted(network: Mapping[str, Any], name: str) -> tuple[str, str, str]:
    row = network["methods"].get(name)
    if row is None:
        return "-", "", ""
    share = 100 * row["trained"] / network["parameters"]
    return f"{row['trained']:,}", f"{share:.3g} %", extra(row["flops"] / network["flops"])


def extra(share: float) -> str:
    """`+1.3 %`."""
    digits = ".2g" if abs(share) < 0.1 else ".0f"
    return f"{100 * share:+{digits}} %" if share else "0"


def papers(host: PluginHost) -> Iterator[str]:
    """Every method's citation."""
    for name, method in host.methods.items():
        if method.citation:
            text = ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", method.citation)
            yield f"- `{name}`: {text}"
