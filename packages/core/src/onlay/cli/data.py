"""`onlay data`: labelled data as they lie, without a backbone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onlay.cli.options import with_host
from onlay.cli.settings import TakesSettings
from onlay.cli.surveyed import facts, lines
from onlay.config import parse
from onlay.descriptors import Dataset
from onlay.errors import ConfigError, DataError
from onlay.host import PluginHost

if TYPE_CHECKING:
    from onlay.reading.survey import Survey
    from onlay.settings import Config

PROCESSES_FROM = 2000
"""Items from which on more processes are worth their start."""
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
    given = _given(words, host)
    dataset, config = _chosen(given, host)
    modality = host.modalities.get(dataset.modality)
    measured = dataset.measure or (modality is not None and modality.measure)
    if dataset.layout and measured:
        found = _listed(dataset, config, host, workers)
    else:
        found = _prepared(dataset, config, given, host)
    click.echo(json.dumps(facts(found), indent=2) if as_json else "\n".join(lines(found)))
    click.get_current_context().exit(0 if found.good else 1)


def _listed(dataset: Dataset, config: Config, host: PluginHost, workers: int | None) -> Survey:
    """Of files as they lie."""
    from onlay.reading.survey import survey

    layout = host.load("dataset", dataset.name, "layout")(config)
    whose = ("dataset", dataset.name) if dataset.measure else ("modality", dataset.modality)
    measure = host.load(*whose, "measure")(config)
    count = sum(len(items) for items in layout.parts.values())
    if not count:
        raise DataError("there is nothing to read in these data")
    if workers is None:
        workers = min(8, os.cpu_count() or 1) if count >= PROCESSES_FROM else 0
    return survey(layout, measure, getattr(config, "labels", None), workers)


def _prepared(
    dataset: Dataset, config: Config, given: Mapping[str, Any], host: PluginHost
) -> Survey:
    """Of items as the backbone gets them, for data that list no files."""
    backbone = given.get("backbone")
    if not backbone:
        raise ConfigError(
            f"the data set `{dataset.name}` lists no files, and is read as a backbone gets it: name"
            " one, `backbone=NAME`, or a run file"
        )
    from onlay.data import require_seekable
    from onlay.model.assemble import build_backbone
    from onlay.reading.survey_parts import survey_parts

    built = build_backbone(parse("backbone", backbone, host), host)
    splits = host.load("dataset", dataset.name, "build")(config, built.input_spec, 0)
    require_seekable(splits, dataset.name)
    return survey_parts(splits)


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
    dataset, config = _chosen(_given(words, host), host)
    if dataset.layout is None:
        listing = sorted(name for name, each in host.datasets.items() if each.layout)
        have = ", ".join(f"`{name}`" for name in listing) or "none"
        raise ConfigError(f"the data set `{dataset.name}` lists no files; these do: {have}")
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


def _chosen(given: Mapping[str, Any], host: PluginHost) -> tuple[Dataset, Config]:
    """The data set that is meant and its settings."""
    if not given.get("data"):
        raise ConfigError("say which data: `data=image_folder data.path=FOLDER`, or a run file")
    config = parse("dataset", given["data"], host)
    return host.find("dataset", str(getattr(config, "name", ""))), config


def _given(words: tuple[str, ...], host: PluginHost) -> Mapping[str, Any]:
    """A run file with overrides; what is not about data or the backbone is not looked at."""
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
    strange = next((w for w in overrides if not re.match(r"(data|backbone)[.=]", w)), None)
    if strange and not files:
        raise ConfigError(f"`{strange}` is no setting of data: those begin with `data.`")

    def widen(key: str, value: Any) -> Any:
        return BLOCKS[key].widened(value, host) if key in BLOCKS else value

    return overridden(given, overrides, widen)
