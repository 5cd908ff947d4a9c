"""Tables of finished runs."""

from __future__ import annotations

import errno
import shlex

from rich.console import Console
from rich.table import Table
from rich.text import Text

from onlay.errors import RunError
from onlay.machine.disk import prevented
from onlay_train.selection import OPTIMISTIC, PUBLISHED
from onlay_train.summary import Summary


def print_report(summary: Summary, console: Console) -> None:
    """One run: a table, and where its files are."""
    table = Table(title=Text(f"{summary.method} on {summary.backbone}"), show_header=False)
    for name, value in rows(summary).items():
        table.add_row(Text(name), Text(value))
    console.print(table)
    print_note(summary.selection, console)
    say(f"bundle {summary.folder}/bundle, curves {summary.folder}/curves.png", console)
    folder = shlex.quote(summary.folder)
    say(f"a page with mistakes: onlay eval {folder} --report {folder}/report", console)


def print_note(selection: str, console: Console) -> None:
    """What the scores were chosen by, if that matters."""
    if selection == PUBLISHED:
        note = Text.assemble(("Note:", "bold red"), f" {OPTIMISTIC}.")
        console.print(note, highlight=False)


def say(text: str, console: Console) -> None:
    """A line that is printed as it is: names and paths are no markup.

    Raises:
        RunError: the output goes to a file that cannot be written.
    """
    try:
        console.print(text, highlight=False, markup=False, soft_wrap=True)
    except OSError as error:
        if error.errno == errno.EPIPE or not (reason := prevented(error)):
            raise
        raise RunError(
            f"the output cannot be written: {reason}; what was saved is kept:"
            " mend that and type the same command to go on"
        ) from error


def rows(summary: Summary) -> dict[str, str]:
    """The table of one run, row by row."""
    found = {}
    for name, value in sorted(summary.metrics.items(), key=lambda item: _order(item[0], summary)):
        split, _, metric = name.partition("_")
        found[f"{split} {metric}"] = summary.measure(metric).text(value)
    found |= {f"task.{name}": str(value) for name, value in summary.chosen.items()}
    found |= _parameters(summary)
    found["share of the backbone"] = f"{summary.share:.2f} % of {summary.parameters['backbone']:,}"
    found["weights of epoch"] = f"{summary.chosen_epoch} of {summary.epochs} ({summary.selection})"
    if waited := summary.stopped_early:
        found["stopped early"] = f"after {waited} epochs without a better {summary.main_metric}"
    found["training time"] = f"{summary.seconds:.1f} s on {summary.device}"
    found["peak memory"] = megabytes(summary.peak_bytes)
    found["bundle"] = kilobytes(summary.bundle_bytes)
    return found


def _parameters(summary: Summary) -> dict[str, str]:
    """In a row; where the head tells parts apart, one below the other."""
    counts = summary.counts
    if counts.keys() <= {"method", "head", "other"}:
        told = " + ".join(f"{part} {count:,}" for part, count in counts.items())
        return {"trained parameters": f"{summary.trained:,} = {told}"}
    rows = {f"  {part}": f"{count:,}" for part, count in counts.items()}
    return {"trained parameters": f"{summary.trained:,}"} | rows


def megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


def kilobytes(size: int) -> str:
    return f"{size / 1024:,.0f} KiB"


def _order(name: str, summary: Summary) -> tuple[bool, bool, bool, str]:
    """Test before validation, the main metric first, the loss last."""
    split, _, metric = name.partition("_")
    return split != "test", metric != summary.main_metric, metric == "loss", metric
