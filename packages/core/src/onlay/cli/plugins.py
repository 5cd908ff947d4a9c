"""`onlay plugins`: what is installed, what each brings, what is broken and why."""

from __future__ import annotations

import json
from typing import Any

import click

from onlay.cli.check import check
from onlay.errors import unknown
from onlay.host import PluginHost
from onlay.host.discovery import PluginRecord
from onlay.machine.guard import shown, traceback_of


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def plugins(ctx: click.Context, as_json: bool) -> None:
    """List the plugins and the names that they bring."""
    if ctx.invoked_subcommand:
        return
    host: PluginHost = ctx.obj
    if as_json:
        click.echo(json.dumps([_facts(record) for record in host.plugins], indent=2))
        return
    rows = [(r.name, str(r), r.status, r.reason or _names(r)) for r in host.plugins]
    _print_columns([("plugin", "distribution", "status", "brings"), *rows])
    for clash in host.clashes():
        click.echo(f"\nclash: {clash}", err=True)


plugins.add_command(check)


@plugins.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(host: PluginHost, name: str, as_json: bool) -> None:
    """Show one plugin: its source, its names, and the traceback if it is broken."""
    found = [r for r in host.plugins if name in (r.name, r.distribution)]
    if not found:
        raise unknown("plugin", name, {r.name for r in host.plugins})
    if as_json:
        click.echo(json.dumps([_facts(record) for record in found], indent=2))
        return
    for record in found:
        _describe(record, host)


def _describe(record: PluginRecord, host: PluginHost) -> None:
    click.echo(f"{record.name}: {record} from {record.source}, {record.status}")
    if record.reason:
        click.echo(record.reason)
    if record.error is not None:
        click.echo(traceback_of(record.error))
    for kind, names in record.brings.items():
        for name in names:
            descriptor = host.registered(kind).get(name)
            summary = f": {shown(descriptor.summary)}" if descriptor else ""
            click.echo(f"  {kind} {name}{summary}")


def _facts(record: PluginRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "distribution": record.distribution,
        "version": record.version,
        "source": record.source,
        "status": record.status,
        "reason": record.reason,
        "brings": {kind: names for kind, names in record.brings.items() if names},
    }


def _names(record: PluginRecord) -> str:
    return "; ".join(f"{kind}: {', '.join(n)}" for kind, n in record.brings.items() if n)


def _print_columns(rows: list[tuple[str, ...]]) -> None:
    """Without rich, whose import alone would be a third of this command's time."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, row[-1]]).rstrip())
