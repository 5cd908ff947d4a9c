"""`onlay peft export`: bundles for people who have peft and not Onlay."""

from __future__ import annotations

from pathlib import Path

import click

from onlay.cli.options import backbone_option, bundle_argument, with_host
from onlay.errors import RunError
from onlay.host import PluginHost


@click.group()
def peft() -> None:
    """Exchange adapters with Hugging Face PEFT; `onlay import peft FOLDER` is the other way."""


@peft.command()
@bundle_argument
@click.argument("out", type=click.Path(path_type=Path))
@backbone_option
@with_host
def export(host: PluginHost, bundle: Path, out: Path, backbone: str | None) -> None:
    """Write a bundle as PEFT's own folder: onlay peft export RUN OUT

    `PeftModel.from_pretrained(timm_model, OUT)` then gives the same outputs.
    """
    if out.exists():
        raise RunError(f"`{out}` is there already: give another name or remove it")
    from onlay.model.loading import load
    from onlay_peft.exporter import export as write

    model = load(bundle, backbone=backbone, host=host)
    left = write(model, out)
    classes = len(model.head.labels)
    made = f"`{model.built.label}`" + ("" if left else f", made with `num_classes={classes}`")
    click.echo(f"{out}: PeftModel.from_pretrained(model, {str(out)!r}), the model being {made}")
    if left:
        click.echo(f"the head stays behind: {left}")
