"""A grid of `onlay demo`: trained, and told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from onlay.host import PluginHost
from onlay.host.firstparty import install
from onlay_train.compare import Comparison
from onlay_train.demo.grids import Demo
from onlay_train.folder import RunFolder
from onlay_train.grid.plan import Plan
from onlay_train.grid.shown import failures, reported
from onlay_train.grid.start import Start
from onlay_train.plot import plot_comparison
from onlay_train.report import say
from onlay_train.summary import Summary


def show(
    each: Demo, out: Path, host: PluginHost, console: Console, plugins: Sequence[str] = ()
) -> bool:
    """Train what is left, print the table and what to do next; says whether all went well."""
    start = Start(
        host=host,
        file=out / "grid.yaml",
        root=out,
        content=each.grid(host),
        only={},
        retry=True,
        plugins=plugins,
    )
    say(f"{each.title}: {len(each.installed(host))} trainings", console)
    plan = start.finished()
    runs = finished(plan)
    if runs:
        tell(each, runs, out, console)
        if each.maps:
            show_maps(runs, out, host, console)
    say(reported(plan).splitlines()[-1], console)
    what_next(each, host, console)
    return not failures(plan)


def finished(plan: Plan) -> dict[str, Path]:
    """Label -> the folder of a run that is done."""
    folders = {cell.labels["method"]: plan.folder(cell) for cell in plan.cells()}
    return {label: f.path for label, f in folders.items() if f.state == "done"}


def tell(each: Demo, runs: Mapping[str, Path], out: Path, console: Console) -> None:
    """The table, curves beside it, and where the bundles are."""
    folders = {label: RunFolder(path) for label, path in runs.items()}
    found = Comparison({label: [Summary.read(f.summary)] for label, f in folders.items()})
    console.print(found.table(each.title))
    plot_comparison(
        {label: folder.history() for label, folder in folders.items()},
        {found.caption(label): found.mean(label) for label in runs},
        out / "comparison.png",
        found.metric,
        title=out.name,
        measure=found.measure,
    )
    say(f"picture {out / 'comparison.png'}", console)
    for label, run in runs.items():
        say(f"bundle of `{label}`: {run / 'bundle'}", console)


def what_next(each: Demo, host: PluginHost, console: Console) -> None:
    """What was left out, and what to type for data of one's own."""
    variants = each.installed(host)
    for label in sorted(each.variants.keys() - variants.keys()):
        say(f"`{label}` was left out: {install(f'onlay-{label}')}", console)
    method = next((m for m in variants if m not in ("linear", "full")), "linear")
    say(f"next, your own {each.your_own.format(method=method)}", console)


def show_maps(runs: Mapping[str, Path], out: Path, host: PluginHost, console: Console) -> None:
    """What all say of the same pictures, beside the truth; a page of the last one's mistakes; and
    what it reaches to name one class everywhere."""
    from onlay_train.evaluate_run import evaluate_run
    from onlay_train.side_by_side import draw_side_by_side

    draw_side_by_side(runs, host, out / "side_by_side.png")
    last = list(runs.values())[-1]
    found = evaluate_run(last, host, report=last / "report")
    told = json.loads((last / "report" / "metrics.json").read_text(encoding="utf-8"))
    for metric in [name for name in found.metrics if f"trivial_{name}" in told]:
        reached = found.measures[metric].text(told[f"trivial_{metric}"], places=1)
        say(f"for comparison, {told['trivial']}: test {metric} {reached}", console)
    say(f"answers {out}/side_by_side.png, a page of mistakes {last}/report/index.html", console)
