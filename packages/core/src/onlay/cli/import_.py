"""`onlay import`: a checkpoint of a method's authors becomes a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from onlay.cli.options import with_host
from onlay.descriptors import Method
from onlay.errors import ConfigError, DataError, RunError
from onlay.host import PluginHost
from onlay.machine.disk import prevented, writing
from onlay.reading.name_lines import name_lines


@click.command("import")
@click.argument("method")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The bundle to write.")
@click.option("--backbone", help="The backbone that the file's adapter was trained on.")
@click.option("--labels", type=click.Path(path_type=Path), help="A file with one class per line.")
@with_host
def import_(
    host: PluginHost,
    method: str,
    file: Path,
    out: Path,
    backbone: str | None,
    labels: Path | None,
) -> None:
    """Turn a checkpoint of a method's authors into a bundle: onlay import METHOD FILE --out DIR

    A file of the whole model brings its own backbone, which is written beside the bundle unless
    `--backbone` names it.
    """
    found = host.find("method", method)
    if found.importer is None:
        why = f": {found.unimportable}" if found.unimportable else ""
        raise ConfigError(
            f"method `{method}` reads no foreign checkpoints{why} (have: {_have(host)})"
        )
    with writing(out):
        if out.exists():
            raise RunError(f"`{out}` is there already: give another name or remove it")
    if not file.exists():
        raise DataError(f"there is no file `{file}`")
    frozen = out.with_name(f"{out.name}-backbone.safetensors")
    model = host.load("method", method, "importer")(
        file,
        backbone=backbone,
        backbone_out=frozen,
        labels=_labels(labels),
        host=host,
    )
    model.save_pretrained(out, record={"command": f"onlay import {method} {file.name}"})
    click.echo(f"{out}: {model.trainable_report()}")
    if frozen.exists():
        click.echo(f"{frozen}: the backbone's weights, which the bundle refers to")
    click.echo(f"next: onlay predict {out} PATH...")


def _labels(path: Path | None) -> list[str] | None:
    if path is None:
        return None
    try:
        return name_lines(path)
    except UnicodeDecodeError as error:
        raise DataError(f"the labels in `{path}` cannot be read: it is no UTF-8 text") from error
    except OSError as error:
        raise DataError(f"the labels in `{path}` cannot be read: {prevented(error)}") from error


def _have(host: PluginHost) -> str:
    methods: list[Method] = list(host.methods.values())
    return ", ".join(m.name for m in methods if m.importer is not None) or "none"
