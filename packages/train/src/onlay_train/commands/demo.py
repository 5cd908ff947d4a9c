"""`onlay demo`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onlay.errors import UnknownName
from onlay.host import PluginHost
from onlay.host.firstparty import install

if TYPE_CHECKING:
    from rich.console import Console

TRAIN = {"epochs": 2, "batch_size": 16, "warmup_epochs": 0.25}
"""As little as shows a difference: all six trainings are to end within two minutes on two cores."""


@dataclass(frozen=True)
class Demo:
    """Methods compared on data that need no download, with a bundled backbone."""

    title: str
    base: Mapping[str, Any]
    variants: Mapping[str, Mapping[str, Any]]
    your_own: str
    """What to type for data of one's own; `{method}` is filled in."""
    asked: bool = False
    """Shown only where it is asked for by its name."""
    maps: bool = False
    """Whether answers are maps, which are drawn side by side."""

    def there(self, host: PluginHost) -> bool:
        """Whether its backbone and its data are installed."""
        data = self.base["data"]["name"]
        return self.base["backbone"] in host.backbones and data in host.datasets

    def installed(self, host: PluginHost) -> dict[str, Mapping[str, Any]]:
        """The variants whose method is there."""
        return {label: v for label, v in self.variants.items() if label in host.methods}


DEMOS = {
    "digits": Demo(
        title="scikit-learn's digits, a frozen vision transformer of ours",
        base={
            "backbone": "onlay_vit_64",
            "data": {"name": "digits", "train_size": 600},
            "task": {"name": "classification", "head_norm": "batch"},
            "train": TRAIN,
        },
        variants={
            "linear": {"method": "linear", "train": {"lr": 3e-2}},
            "arc": {"method": "arc", "train": {"lr": 1e-2}},
            "full": {"method": "full", "train": {"lr": 5e-4}},
        },
        your_own="photographs, one folder for each class:\n"
        "  onlay train backbone=onlay_vit_64 method={method} data.name=image_folder"
        " data.path=FOLDER",
    ),
    "shapes": Demo(
        title="generated shapes, a frozen point-cloud transformer of ours",
        base={
            "backbone": "onlay_points",
            "data": {"name": "shapes", "train_size": 480, "val_size": 60, "test_size": 300},
            "task": {"name": "classification", "head_norm": "batch", "pool": "cls+mean+max"},
            "train": TRAIN,
        },
        variants={
            "linear": {"method": "linear", "train": {"lr": 1e-2}},
            "dapt": {
                "method": "dapt",
                "task": {"pool": "cls+prompts+max"},
                "train": {"lr": 2e-3},
            },
            "full": {"method": "full", "train": {"lr": 5e-4}},
        },
        your_own="point clouds, one folder for each class:\n"
        "  onlay train backbone=onlay_points method={method} data.name=cloud_folder"
        " data.path=FOLDER",
    ),
    "dense": Demo(
        title="nuclei in generated pictures of cells, a frozen vision transformer of ours",
        base={
            "backbone": "onlay_vit_64",
            "data": {
                "name": "cells",
                "train_size": 200,
                "val_size": 20,
                "test_size": 100,
                "preprocess": {"augment": "flip"},
            },
            "task": {"name": "segmentation", "decoder": "linear", "loss": "ce_dice"},
            "train": {"epochs": 4, "batch_size": 8, "warmup_epochs": 0.25, "pictures": 0},
        },
        variants={
            "linear": {"method": "linear", "train": {"lr": 1e-2}},
            "iconformer": {"method": "iconformer", "train": {"lr": 5e-3}},
            "full": {"method": "full", "train": {"lr": 5e-4}},
        },
        your_own="pictures and masks, in two folders:\n"
        "  onlay train backbone=onlay_vit_64 method={method} task=segmentation"
        " data.name=mask_folder data.path=FOLDER 'data.labels=[background, CLASS]'",
        asked=True,
        maps=True,
    ),
}


@click.command()
@click.argument("name", required=False, type=click.Choice(list(DEMOS)))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("onlay-demo"),
    show_default=True,
    help="Where the runs, the pictures and the bundles go.",
)
@click.pass_context
def demo(ctx: click.Context, name: str | None, out: Path) -> None:
    """Adapt small frozen backbones to small data in a few ways, and compare them.

    Images where `onlay-image` is installed, point clouds where `onlay-pointcloud` is; or the one
    that is named: `dense` is of `onlay-dense`, a class for each pixel of pictures of cells.
    """
    host: PluginHost = ctx.obj
    wanted = {key: d for key, d in DEMOS.items() if (key == name if name else not d.asked)}
    there = {key: d for key, d in wanted.items() if d.there(host)}
    if name and not there:
        wheel = {"digits": "onlay-image", "shapes": "onlay-pointcloud", "dense": "onlay-dense"}[
            name
        ]
        raise UnknownName(f"the demo `{name}` needs `{wheel}`: {install(wheel)}")
    if not there:
        raise UnknownName(
            f"the demo needs data of `onlay-image` or `onlay-pointcloud`: {install('onlay-image')}"
        )
    from rich.console import Console

    from onlay_train.signals import Stopped

    console = Console()
    try:
        for name, each in there.items():
            show(each, out / name, host, console)
    except Stopped as stopped:
        click.echo(f"{stopped}; the same command goes on", err=True)
        ctx.exit(stopped.exit_status)


def show(each: Demo, out: Path, host: PluginHost, console: Console) -> None:
    """Train the variants, print their table and what to do next."""
    from onlay_train.compare import compare
    from onlay_train.report import say

    variants = each.installed(host)
    found = compare(each.base, variants, out=out, host=host, console=console)
    console.print(found.table(each.title))
    say(f"picture {out}/comparison.png, bundles {out}/*/bundle", console)
    if each.maps:
        show_maps({label: out / label for label in variants}, out, host, console)
    left_out = each.variants.keys() - variants.keys()
    for label in sorted(left_out):
        say(f"`{label}` was left out: {install(f'onlay-{label}')}", console)
    method = next((m for m in variants if m not in ("linear", "full")), "linear")
    say(f"next, your own {each.your_own.format(method=method)}", console)


def show_maps(runs: Mapping[str, Path], out: Path, host: PluginHost, console: Console) -> None:
    """What all say of the same pictures, beside the truth; a page of the last one's mistakes; and
    what it reaches to name one class everywhere."""
    from onlay_train.evaluate_run import evaluate_run
    from onlay_train.report import say
    from onlay_train.side_by_side import draw_side_by_side

    draw_side_by_side(runs, host, out / "side_by_side.png")
    last = list(runs.values())[-1]
    found = evaluate_run(last, host, report=last / "report")
    told = json.loads((last / "report" / "metrics.json").read_text(encoding="utf-8"))
    for metric in [name for name in found.metrics if f"trivial_{name}" in told]:
        reached = found.measures[metric].text(told[f"trivial_{metric}"], places=1)
        say(f"for comparison, {told['trivial']}: test {metric} {reached}", console)
    say(f"answers {out}/side_by_side.png, a page of mistakes {last}/report/index.html", console)
