"""`onlay data`: labelled data as they lie, without a backbone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onlay.cli.options import with_host
from onlay.cli.settings import TakesSettings
from onlay.config import parse
from onlay.descriptors import Dataset
from onlay.errors import ConfigError, DataError
from onlay.host import PluginHost

if TYPE_CHECKING:
    from onlay.config.base import Config
    from onlay.reading.survey import Survey

PROCESSES_FROM = 2000
"""Items from which on more processes are worth their start."""
SHOWN = 20
"""Classes, extents and sentences that a terminal is shown of each kind."""
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


@click.group()
def data() -> None:
    """Check labelled data, or pack them into tars."""


@data.command(cls=TakesSettings)
@click.argument("words", nargs=-1, metavar="[RUN.YAML] KEY=VALUE...")
@click.option(
    "--workers", type=click.IntRange(min=0), help="Processes that read; default: by size."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_host
def check(host: PluginHost, words: tuple[str, ...], workers: int | None, as_json: bool) -> None:
    """Read everything once: onlay data check data=image_folder data.path=photos

    Says what cannot be read, how many items each class has in each part, how large they are, and
    what is there twice. The exit status is 1 if an item cannot be read, is in two parts or has two
    labels, or if two classes are called almost alike.
    """
    from onlay.reading.survey import survey

    dataset, config = _chosen(words, host)
    layout = host.load("dataset", dataset.name, "layout")(config)
    measure = host.load("modality", dataset.modality, "measure")(config)
    count = sum(len(items) for items in layout.parts.values())
    if not count:
        raise DataError("there is nothing to read in these data")
    if workers is None:
        workers = min(8, os.cpu_count() or 1) if count >= PROCESSES_FROM else 0
    found = survey(layout, measure, getattr(config, "labels", None), workers)
    click.echo(json.dumps(_facts(found), indent=2) if as_json else "\n".join(_lines(found)))
    click.get_current_context().exit(0 if found.good else 1)


@data.command(cls=TakesSettings)
@click.argument("words", nargs=-1, metavar="[RUN.YAML] KEY=VALUE...")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to write.")
@click.option("--shards", default="512M", show_default=True, help="Bytes of a tar at the most.")
@click.option("--seed", default=0, show_default=True, help="Of the order in which items are mixed.")
@with_host
def pack(host: PluginHost, words: tuple[str, ...], out: Path, shards: str, seed: int) -> None:
    """Pack into tars: onlay data pack data=image_folder data.path=photos --out tars

    Files are copied as they are, mixed within their part, so that every tar holds many classes;
    contents.csv says where each went.
    """
    from onlay.reading.packing import pack as packed

    limit = _bytes(shards)
    dataset, config = _chosen(words, host)
    layout = host.load("dataset", dataset.name, "layout")(config)
    if not any(layout.parts.values()):
        raise DataError("there is nothing to pack in these data")
    tars = packed(layout, out, limit=limit, seed=seed)
    for note in layout.notes:
        click.echo(note, err=True)
    told = ", ".join(f"{number} of `{part}`" for part, number in tars.items())
    click.echo(f"wrote {sum(map(len, layout.parts.values())):,} items into tars: {told} in `{out}`")


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+)([KMG]?)(i?B)?", text.strip(), re.IGNORECASE)
    if not found or not int(found[1]):
        raise ConfigError(f"`--shards {text}` is no size: write `512M` or `2G`")
    return int(found[1]) * _UNITS[found[2].upper()]


def _chosen(words: tuple[str, ...], host: PluginHost) -> tuple[Dataset, Config]:
    """The data set that is meant, which lists its files, and its settings."""
    block = _block(words, host)
    if not block:
        raise ConfigError("say which data: `data=image_folder data.path=FOLDER`, or a run file")
    config = parse("dataset", block, host)
    dataset = host.find("dataset", str(getattr(config, "name", "")))
    if dataset.layout is None:
        listing = sorted(name for name, each in host.datasets.items() if each.layout)
        have = ", ".join(f"`{name}`" for name in listing) or "none"
        raise ConfigError(
            f"the data set `{dataset.name}` does not list its items apart from a run; these do:"
            f" {have}"
        )
    return dataset, config


def _block(words: tuple[str, ...], host: PluginHost) -> Any:
    """`data` of a run file, with overrides; other blocks are not looked at."""
    from onlay.config.files import read
    from onlay.config.overrides import overridden
    from onlay.config.run import BLOCKS

    files = [word for word in words if "=" not in word]
    if len(files) > 1:
        raise ConfigError(f"one run file is expected, and `{files[1]}` is a second one")
    if files and Path(files[0]).is_dir():
        raise ConfigError(f"`{files[0]}` is a folder: say `data=NAME data.path={files[0]}`")
    given: Mapping[str, Any] = read(Path(files[0])) if files else {}
    overrides = [word for word in words if "=" in word]
    strange = next((word for word in overrides if not re.match(r"data[.=]", word)), None)
    if strange and not files:
        raise ConfigError(f"`{strange}` is no setting of data: those begin with `data.`")

    def widen(key: str, value: Any) -> Any:
        return BLOCKS[key].widened(value, host) if key in BLOCKS else value

    return overridden(given, overrides, widen).get("data")


def _facts(found: Survey) -> dict[str, Any]:
    common = found.extents.most_common(SHOWN)
    return {
        "items": sum(found.sizes.values()),
        "parts": {
            part: {"items": size, "classes": dict(sorted(found.counts[part].items()))}
            for part, size in found.sizes.items()
        },
        "extents": [{"extent": list(extent), "items": n} for extent, n in common],
        "smallest": list(min(found.extents, default=())),
        "largest": list(max(found.extents, default=())),
        "unreadable": list(found.unreadable),
        "ambiguous": list(found.ambiguous),
        "repeated": found.repeated,
        "notes": list(found.notes),
        "good": found.good,
    }


def _lines(found: Survey) -> Iterator[str]:
    yield from found.notes
    for part, size in found.sizes.items():
        counts = sorted(found.counts[part].items(), key=lambda pair: (-pair[1], pair[0]))
        classes = f" of {len(counts)} classes: {_few(counts)}" if counts else ""
        yield f"{part:<12}{size:,} items{classes}"
    sizes = [(" x ".join(map(str, extent)), n) for extent, n in found.extents.most_common()]
    if sizes:
        yield f"{'size':<12}{_few(sizes)}"
    if found.repeated:
        yield f"{'repeated':<12}{found.repeated:,} items are there before, in the same class"
    for name, sentences in (("unreadable", found.unreadable), ("ambiguous", found.ambiguous)):
        yield from (f"{name:<12}{sentence}" for sentence in sentences[:SHOWN])
        if len(sentences) > SHOWN:
            yield f"{name:<12}and {len(sentences) - SHOWN:,} more: `--json` tells all"
    yield "all is well" if found.good else _count(found)


def _few(pairs: list[tuple[str, int]]) -> str:
    rest = len(pairs) - SHOWN
    told = ", ".join(f"{n:,} {name}" for name, n in pairs[:SHOWN])
    return f"{told}, and {rest:,} others" if rest > 0 else told


def _count(found: Survey) -> str:
    return f"{len(found.unreadable):,} unreadable, {len(found.ambiguous):,} ambiguous"
