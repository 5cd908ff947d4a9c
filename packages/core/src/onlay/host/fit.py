"""Whether a backbone can carry a method and a task, by what it provides and they need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from onlay.descriptors import Dataset, Method, Task
from onlay.errors import AnatomyError, DataError

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.settings import Config


def check_fit(
    wanted: Method | Task,
    provides: frozenset[str],
    unfit: Mapping[str, str],
    label: str,
    config: Config | None = None,
) -> None:
    """Raise an `AnatomyError` of one sentence if the backbone cannot carry the method or task.

    `unfit` says why the backbone lacks a trait, where it knows; `config` are a method's settings.
    """
    asking = f"{type(wanted).__name__.lower()} `{wanted.name}`"
    refuses = wanted.refuses if isinstance(wanted, Method) else {}
    for trait in sorted(refuses.keys() & provides):
        raise AnatomyError(f"{asking} cannot run on `{label}`: {refuses[trait]}")
    for trait in sorted(wanted.needs - provides):
        why = f": {unfit[trait]}" if trait in unfit else ""
        have = ", ".join(f"`{t}`" for t in sorted(provides)) or "nothing"
        raise AnatomyError(
            f"{asking} needs a backbone that provides `{trait}`, and `{label}` provides {have}{why}"
        )
    asked = isinstance(wanted, Method) and config is not None
    if asked and (reason := wanted.refused(config, provides)):
        raise AnatomyError(f"{asking} cannot run on `{label}`: {reason}")


def check_sites(method: Method, anatomy: Anatomy, label: str) -> None:
    """Raise an `AnatomyError` of one sentence if a block lacks a site that the method needs."""
    for block in anatomy.blocks:
        for site in sorted(method.sites - block.sites.keys()):
            raise AnatomyError(
                f"method `{method.name}` needs the site `{site}` in every block, and block"
                f" {block.index} of `{label}` has none"
            )


def check_targets(
    task: Task, dataset: Dataset, chosen: str | None, others: Mapping[str, Dataset]
) -> None:
    """Raise a `DataError` of one sentence if a task cannot learn from what data tell.

    `chosen` is what the settings or the data say that targets are, `others` are data sets that
    might be taken instead.
    """
    have = frozenset({chosen}) if chosen else dataset.targets
    if not task.targets or not have or task.targets in have:
        return
    found = " or ".join(f"`{kind}`" for kind in sorted(have))
    text = f"task `{task.name}` learns from `{task.targets}`, and data set `{dataset.name}`"
    if task.targets in dataset.targets:
        raise DataError(
            f"{text} is set to give {found}: leave out `data.targets`, or take another task"
        )
    can = [
        f"`{name}`"
        for name, other in others.items()
        if task.targets in other.targets and other.modality == dataset.modality
    ]
    hint = f"; data sets that give `{task.targets}`: {', '.join(can)}" if can else ""
    raise DataError(f"{text} gives {found}{hint}")
