"""`onlay explain NAME`: the settings of anything that is registered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from onlay.cli.check import THINGS
from onlay.config.presets import preset_of
from onlay.errors import OnlayError, UnknownName, unknown
from onlay.host import PluginHost

if TYPE_CHECKING:
    from onlay.settings import Config

EXPLAINED = ("method", "backbone", "task", "dataset", "decoder")


@click.command()
@click.argument("name")
@click.option("--preset", help="Show what one of the method's presets sets.")
@click.pass_obj
def explain(host: PluginHost, name: str, preset: str | None) -> None:
    """Explain a method, backbone, task, data set, optimizer, decoder, or `train`: every field, its
    default, what it does."""
    if preset:
        recipe = dict(preset_of(host.find("method", name), preset))
        if "modality" in recipe:
            click.echo(f"# for `{recipe.pop('modality')}` data")
        click.echo("\n".join(_lines(recipe)))
        return
    blocks = list(_found(host, name))
    if not blocks:
        raise _not_found(host, name)
    for heading, config, notes in blocks:
        click.echo(heading + "\n" * (config is not None))
        if config is not None:
            _print_fields(config)
        for note in notes:
            click.echo("\n" + note)


def _found(host: PluginHost, name: str) -> Iterator[tuple[str, type[Config] | None, list[str]]]:
    """A name may be taken in several kinds: all of them are explained."""
    if name in ("train", "run"):
        from onlay.config.run import RunConfig, TrainConfig

        config = TrainConfig if name == "train" else RunConfig
        yield f"{name}: {_docstring(config)}", config, []
    for kind in EXPLAINED:
        if name in host.registered(kind):
            found, owner = host.find(kind, name), host.owner(kind, name)
            heading = f"{kind} {name} ({owner}): {_docstring(found.config)}"
            yield heading, found.config, list(_notes(kind, found))

    if name in host.optimizers:
        yield _optimizer(host, name)


def _optimizer(host: PluginHost, name: str) -> tuple[str, type[Config] | None, list[str]]:
    found, owner = host.optimizers[name], host.owner("optimizer", name)
    settings = host.load("optimizer", name, "settings") if found.settings else None
    said = found.summary if settings is None else _docstring(settings)
    note = f"in a run: train.opt={name} train.opt_kwargs.NAME=VALUE"
    return f"optimizer {name} ({owner}): {said}", settings, [note]


def _docstring(config: type[Config]) -> str:
    from onlay.config.explain import summary

    return summary(config)


def _notes(kind: str, found: Any) -> Iterator[str]:
    if kind == "method":
        if found.needs:
            yield f"needs a backbone with: {', '.join(sorted(found.needs))}"
        for trait, reason in found.refuses.items():
            yield f"not for a backbone with {trait}: {reason}"
        if found.dynamic:
            yield f"depends on the input: {found.dynamic}"
        if found.presets:
            yield click.wrap_text(f"presets: {', '.join(found.presets)}", 98)
    if kind == "decoder":
        yield f"reads {_maps(found)}"
    if kind in ("method", "decoder") and found.citation:
        yield found.citation


def _maps(decoder: Any) -> str:
    """Which ones, as a run may have to choose a decoder by it."""
    words = {"one_stride": "maps of one size", "pyramid": "a pyramid"}
    kinds = " or ".join(words.get(kind, kind) for kind in sorted(decoder.takes))
    count = "the last map" if decoder.levels == 1 else f"{decoder.levels} maps"
    return f"{count}: {kinds}"


def _lines(values: Any, prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _lines(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}={json.dumps(value)}"


def _print_fields(config: type[Config]) -> None:
    from onlay.config.explain import explained

    for field in explained(config):
        click.echo(
            f"  {field.name}: {field.type} (default {field.default})".replace(
                "(default required)", "(required)"
            )
        )
        click.echo(click.wrap_text(field.description, 92, "      ", "      "))


def _not_found(host: PluginHost, name: str) -> OnlayError:
    """What the host knows of a name that is broken or not installed, else all names there are."""
    from onlay.host.firstparty import distribution_of

    for kind in (*EXPLAINED, "optimizer"):
        try:
            host.find(kind, name)
        except UnknownName as error:
            if distribution_of(kind, name) or error.told:
                return error
        except OnlayError as error:
            return error
    known = {n for kind in (*EXPLAINED, "optimizer") for n in host.registered(kind)}
    return unknown(THINGS, name, known | {"train", "run"})
