"""`onlay merge`: fold an adapter into its backbone and write a plain model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from onlay.cli.exporters import choose
from onlay.cli.options import backbone_option, bundle_argument, with_host
from onlay.errors import RunError
from onlay.host import PluginHost
from onlay.machine.disk import beside, writing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onlay.anatomy import Refusal


@click.command()
@bundle_argument
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File or new folder.")
@click.option("--format", "name", help="One of the installed exporters; default: by --out.")
@backbone_option
@with_host
def merge(
    host: PluginHost, bundle: Path, out: Path, name: str | None, backbone: str | None
) -> None:
    """Fold the adapter of a run into its backbone: onlay merge RUN --out FILE

    The result needs no Onlay; timm's format is what `timm.create_model` loads, a `.pt2` file what
    `torch.export.load` does. The latter also holds pieces that cannot be folded. The suffix of FILE
    chooses the format; a name without one is a folder in timm's.
    """
    from onlay.model.loading import load

    with writing(out):
        if out.exists():
            raise RunError(f"`{out}` is there already: give another name or remove it")
    model = load(bundle, backbone=backbone, host=host)
    exporter = choose(host, model.built.modality, name, out)
    merged = model.merge(partial=exporter.partial)
    with beside(out) as fresh:
        host.load("exporter", exporter.name, "export")(merged, fresh)
    partly = "partly " if merged.merge_refusals else ""
    click.echo(
        f"{out}: `{model.built.label}` with `{model.method.name}` {partly}folded in,"
        f" for {exporter.name}; "
        f"largest change of an output {merged.merge_change:.1e}"
    )
    for reason, paths in _by_reason(merged.merge_refusals).items():
        click.echo(f"  stays at {', '.join(f'`{path}`' for path in paths)}: {reason}")


def _by_reason(refusals: Sequence[Refusal]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for refusal in refusals:
        found.setdefault(refusal.reason, []).append(refusal.path)
    return found
