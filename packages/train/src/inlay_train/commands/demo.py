"""`inlay demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from inlay.host import PluginHost

BASE = {
    "backbone": "inlay_vit_64",
    "data": "digits",
    "task": {"name": "classification", "head_norm": "batch"},
    "train": {"epochs": 4, "batch_size": 32, "warmup_epochs": 0.5},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "linear": {"method": "linear", "train": {"lr": 3e-2}},
    "arc": {"method": "arc", "train": {"lr": 1e-2}},
    "full": {"method": "full", "train": {"lr": 5e-4}},
}


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("inlay-demo"),
    show_default=True,
    help="Where the runs, the picture and the bundles go.",
)
@click.pass_context
def demo(ctx: click.Context, out: Path) -> None:
    """Adapt a small frozen backbone to scikit-learn's digits in three ways, and compare them."""
    host: PluginHost = ctx.obj
    host.find("backbone", "inlay_vit_64")  # says what to install
    variants = {label: v for label, v in VARIANTS.items() if v["method"] in host.methods}
    from rich.console import Console

    from inlay_train.compare import compare
    from inlay_train.signals import Stopped

    console = Console()
    try:
        found = compare(BASE, variants, out=out, host=host, console=console)
    except Stopped as stopped:
        click.echo(f"{stopped}; the same command goes on", err=True)
        ctx.exit(stopped.exit_status)
    console.print(found.table("scikit-learn's digits, a frozen vision transformer of ours"))
    console.print(f"picture {out}/comparison.png, bundles {out}/*/bundle", highlight=False)
    for label in VARIANTS.keys() - variants.keys():
        console.print(f"`{label}` was left out: pip install inlay-{label}", highlight=False)
    best = "arc" if "arc" in variants else "linear"
    console.print(
        "next, your own photographs, one folder for each class:\n"
        f"  inlay train backbone=inlay_vit_64 method={best} data.name=image_folder"
        " data.path=FOLDER",
        highlight=False,
        soft_wrap=True,
    )
