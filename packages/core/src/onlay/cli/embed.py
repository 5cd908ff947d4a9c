"""`onlay embed`: vectors of files, from the backbone of a run with its adapter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from onlay.cli.options import (
    backbone_option,
    bundle_argument,
    device_option,
    device_or_default,
    say_skipped,
    with_host,
)
from onlay.host import PluginHost

if TYPE_CHECKING:
    from onlay.model.predict import Unreadable


@click.command()
@bundle_argument
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The table to write: .parquet, .npz or .csv.",
)
@click.option(
    "--pool",
    help="What is written, by names as in `task.pool` with commas between; default: all that there"
    " are of cls,mean,prompts.",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
@click.option("--skip-unreadable", is_flag=True, help="Leave files out that cannot be read.")
@device_option
@backbone_option
@with_host
def embed(
    host: PluginHost,
    bundle: Path,
    paths: tuple[Path, ...],
    out: Path,
    pool: str | None,
    batch_size: int,
    skip_unreadable: bool,
    device: str | None,
    backbone: str | None,
) -> None:
    """Write a vector of each file: onlay embed RUN PATH... --out vectors.parquet

    A row has the path and, under the name of each pool, a vector of the adapted backbone's features
    before the head; in .csv its numbers are columns of their own, cls_0, cls_1 and so on. A PATH
    that is a folder stands for the files in it. A file that is there is replaced.
    """
    from onlay.model.vector_file import write_vectors, writer_of

    writer_of(out)
    pools = _pools(pool)
    from onlay.model.embed import embed as batches_of
    from onlay.model.loading import load
    from onlay.model.predict import found_in

    model = load(bundle, backbone=backbone, host=host, device=device_or_default(device))
    found = found_in(paths, host.find("modality", model.built.modality))
    skipped: list[Unreadable] | None = [] if skip_unreadable else None
    batches = list(
        batches_of(model, found.files, host, pools=pools, batch_size=batch_size, unreadable=skipped)
    )
    for note in found.notes:
        click.echo(note, err=True)
    say_skipped(skipped or [], len(found.files))
    import torch

    files = [file for each, _ in batches for file in each]
    names = batches[0][1]
    vectors = {name: torch.cat([b[name] for _, b in batches]).numpy() for name in names}
    write_vectors(out, files, vectors)
    sizes = ", ".join(f"{name} ({rows.shape[1]})" for name, rows in vectors.items())
    click.echo(f"{len(files):,} rows in {out}: path, {sizes}")


def _pools(words: str | None) -> tuple[str, ...]:
    """The names that were given, which are those of `task.pool`."""
    from onlay.errors import ConfigError
    from onlay.tasks.config import POOLS

    names = tuple(dict.fromkeys(word.strip() for word in (words or "").split(",") if word.strip()))
    for name in names:
        if name not in POOLS:
            have = ", ".join(f"`{pool}`" for pool in POOLS)
            raise ConfigError(f"there is no pool `{name}` (have: {have})")
    return names
