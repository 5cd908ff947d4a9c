"""`onlay plugins check`: what a plugin registers, held against the contracts."""

from __future__ import annotations

import json
import traceback
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from onlay.errors import PluginError, unknown
from onlay.host import PluginHost
from onlay.host.firstparty import distribution_of

if TYPE_CHECKING:
    from onlay.testing import Outcome

KINDS = ("method", "backbone", "task", "dataset", "optimizer", "decoder", "protocol", "executor")
THINGS = "method, backbone, task, data set, optimizer, decoder, protocol or executor"
"""The same in words."""


@click.command()
@click.argument("name")
@click.option(
    "-k",
    "words",
    default="",
    metavar="WORDS",
    help="Run only checks with these words in their names; `and`, `or`, `not` as pytest has them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--verbose", is_flag=True, help="Print each contract, and tracebacks.")
@click.pass_context
def check(ctx: click.Context, name: str, words: str, as_json: bool, verbose: bool) -> None:
    """Check a method, backbone, task, data set, optimizer, decoder, protocol or executor, or all
    that a plugin brings.

    The exit status is 1 if a contract is broken.
    """
    host: PluginHost = ctx.obj
    found: list[tuple[str, str, Outcome]] = []
    for kind, each in _named(host, name):
        if not as_json:
            click.echo(f"{kind} {each} ({host.owner(kind, each)})")
        for outcome in _outcomes(kind, each, host, words):
            found.append((kind, each, outcome))
            if not as_json:
                _print(outcome, verbose)
    if words and not found:
        _refuse_none(_named(host, name), words)
    if as_json:
        click.echo(json.dumps([_facts(*row) for row in found], indent=2))
    else:
        click.echo(_summary([outcome for _, _, outcome in found]))
    ctx.exit(0 if all(outcome.good for _, _, outcome in found) else 1)


def _named(host: PluginHost, name: str) -> list[tuple[str, str]]:
    """(kind, name) of everything that is meant; what is broken or not installed is an error."""
    found = [(kind, name) for kind in KINDS if name in host.registered(kind)]
    if found:
        return found
    records = [r for r in host.plugins if name in (r.name, r.distribution)]
    found = [(kind, each) for r in records for kind in KINDS for each in r.brings.get(kind, ())]
    if found:
        return found
    if records:
        why = records[0].reason or f"it registers no {THINGS}"
        raise PluginError(f"the plugin `{name}` brings nothing to check: {why}")
    for kind in KINDS:
        if distribution_of(kind, name):
            host.find(kind, name)  # says what to install
    names = {each for kind in KINDS for each in host.registered(kind)}
    names |= {record.name for record in host.plugins}
    raise unknown(f"plugin, {THINGS}", name, names)


def _outcomes(kind: str, name: str, host: PluginHost, words: str) -> Iterator[Outcome]:
    from onlay.testing import run_checks

    return run_checks(kind, name, host=host, words=words)


def _refuse_none(named: list[tuple[str, str]], words: str) -> None:
    from onlay.testing.choosing import refuse_none
    from onlay.testing.suites import SUITES

    refuse_none([c for kind in dict(named) for c in SUITES[kind].checks], words)


def _print(outcome: Outcome, verbose: bool) -> None:
    title = outcome.check.name.removeprefix("check_").replace("_", " ")
    took = f"  {outcome.seconds:.1f} s" if outcome.seconds >= 0.1 else ""
    click.echo(f"  {outcome.verdict:<10}{title}{took}")
    if verbose:
        click.echo(click.wrap_text(outcome.check.contract, 98, " " * 12, " " * 12))
    if outcome.verdict == "broken" or (outcome.reason and verbose):
        click.echo(click.wrap_text(outcome.reason, 98, " " * 12, " " * 12))
    if verbose and outcome.verdict == "broken" and outcome.error is not None:
        click.echo("".join(traceback.format_exception(outcome.error)).rstrip())


def _summary(found: list[Outcome]) -> str:
    counts = Counter(outcome.verdict for outcome in found)
    told = ", ".join(f"{counts[each]} {each}" for each in ("kept", "broken", "not asked"))
    return f"{len(found)} contracts: {told}; {sum(o.seconds for o in found):.1f} s"


def _facts(kind: str, name: str, outcome: Outcome) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "check": outcome.check.name,
        "contract": outcome.check.contract,
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "seconds": round(outcome.seconds, 3),
    }
