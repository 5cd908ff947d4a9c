"""`onlay schema`: JSON Schema of run files, so that editors complete and check them."""

from __future__ import annotations

import json

import click

from onlay.host import PluginHost


@click.command()
@click.pass_obj
def schema(host: PluginHost) -> None:
    """Print the JSON Schema of run files over what is installed.

    Write it to a file and name it in the first line of a run file:
    `# yaml-language-server: $schema=onlay.schema.json`
    """
    from onlay.config.schema import run_schema

    click.echo(json.dumps(run_schema(host), indent=2))
