"""Whether a backbone can carry a method and a task, by what it provides and they need."""

from __future__ import annotations

from collections.abc import Mapping

from onlay.descriptors import Method, Task
from onlay.errors import AnatomyError


def check_fit(
    wanted: Method | Task, provides: frozenset[str], unfit: Mapping[str, str], label: str
) -> None:
    """Raise an `AnatomyError` of one sentence if the backbone cannot carry the method or task.

    `unfit` says why the backbone lacks a trait, where it knows.
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
