"""`onlay inspect`: what an adapter does to files, as a page to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from onlay.cli.options import backbone_option, bundle_argument, with_host
from onlay.host import PluginHost

if TYPE_CHECKING:
    from onlay.inspecting import Observation, Signal

NAMED = 3
"""Categories of a block that its line names; the others, if several, are summed."""


@click.command()
@bundle_argument
@click.argument(
    "paths",
    type=click.Path(path_type=Path),
    nargs=-1,
    required=True,
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page; default: the files' names with `.html`, here.",
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path, exists=True),
    help="Labelled data of the layout of the run's own that hold these files; or, of a single file,"
    " its truth, such as a mask. Default: the run's own data, for files that lie in them.",
)
@backbone_option
@with_host
def inspect(
    host: PluginHost,
    bundle: Path,
    paths: tuple[Path, ...],
    out: Path | None,
    truth: Path | None,
    backbone: str | None,
) -> None:
    """Look at what the adapter of a run does to files: onlay inspect RUN PATH...

    Writes one self-contained HTML page with what the adapter does, block by block. For every
    method: how far each token is from what the frozen backbone alone makes of it. For methods that
    show more of themselves: which expert each patch or group chose, how strongly each token is
    changed, the kernels generated for this input. An image is tinted patch by patch; a cloud can be
    turned, and coloured by group and by prediction, too. Several files stand side by side, on the
    same colour scales; a PATH that is a folder stands for the files in it.

    Where the truth about a file is known, it stands beside the answer, with how they differ.
    """
    from onlay.model.loading import load
    from onlay.model.predict import found_in
    from onlay.model.truths import truths
    from onlay.pages.observing import made_by, observed, view

    model = load(bundle, backbone=backbone, host=host)
    out = out or Path(_named(paths) + ".html")
    found = found_in(paths, host.find("modality", model.built.modality))
    for note in found.notes:
        click.echo(note, err=True)
    target_of = truths(bundle, model, found.files, truth, host)
    about = made_by("inspect", bundle)
    observations = list(observed(model, found.files, host, about, target_of))
    view(model, observations, out, host)
    for path, observation in zip(found.files, observations, strict=True):
        click.echo(f"{path}: {observation.prediction.line()}")
        if observation.truth is not None:
            click.echo(f"  truly {observation.truth.line()}")
        for line in _summary(observation):
            click.echo(f"  {line}")
    for line in _compared(observations):
        click.echo(line)
    click.echo(f"page {out}")


def _named(paths: Sequence[Path]) -> str:
    first, *others = (path.stem or path.resolve().stem for path in paths)
    return f"{first}-and-{len(others)}-more" if len(others) > 1 else "-".join([first, *others])


def _summary(observation: Observation) -> Iterator[str]:
    """A line for each block of categories, and for each kind of number or picture."""
    from onlay.inspecting import by_name, titles
    from onlay.pages.changes import CHANGE

    for name, same in by_name(observation.signals).items():
        if name == CHANGE:
            yield f"{name}: {_changed(same)}"
        elif same[0].categories is None:
            yield f"{name}: {_numbers(same)}"
        else:
            for title, signal in zip(titles(same), same, strict=True):
                yield f"{name}, {title}: {_shares(signal)}"
    for name, made in by_name(observation.pictures).items():
        count, height, width = made[0].values_nhw.shape
        sizes = ", ".join(f"{picture.values_nhw.square().mean() ** 0.5:.2g}" for picture in made)
        yield f"{name}: {count} of {height} x {width} in each block, root mean square {sizes}"


def _compared(observations: Sequence[Observation]) -> Iterator[str]:
    """A line for each block with pictures, where there are several inputs."""
    from onlay.pages import differences

    for name, blocks in differences(observations).items():
        for title, share in blocks.items():
            yield f"{name}, {title}: differ by {_percent(share)}"


def _numbers(same: Sequence[Signal]) -> str:
    """Where some are zero, how many are not; else the means."""
    shares = [float((signal.patches_NK != 0).float().mean()) for signal in same]
    if min(shares) < 1:
        return f"not zero in {', '.join(f'{100 * share:.0f}' for share in shares)} % of the patches"
    return f"on average {', '.join(f'{float(s.patches_NK.mean()):.2g}' for s in same)}"


def _changed(same: Sequence[Signal]) -> str:
    """The mean over the patches of each block."""
    means = [float(signal.patches_NK.mean()) for signal in same]
    return f"{', '.join(map(_percent, means))}, block by block" if any(means) else "none"


def _shares(signal: Signal) -> str:
    """`5 (31 %), 2 (22 %), 7 (9 %), 11 others (38 %), 2 unused`."""
    usage = signal.usage()
    order = [i for i in usage.argsort(descending=True, stable=True).tolist() if usage[i] > 0]
    named = NAMED if len(order) > NAMED + 1 else len(order)
    found = [f"{i} ({_percent(float(usage[i]))})" for i in order[:named]]
    if others := order[named:]:
        found.append(f"{len(others)} others ({_percent(float(usage[others].sum()))})")
    if unused := len(usage) - len(order):
        found.append(f"{unused} unused")
    return ", ".join(found)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.005 or share == 0 else "< 1 %"
