"""Whether a backbone can carry a method, by what the one provides and the other needs."""

from __future__ import annotations

from collections.abc import Mapping

from inlay.descriptors import Method
from inlay.errors import AnatomyError


def check_fit(
    method: Method, provides: frozenset[str], unfit: Mapping[str, str], label: str
) -> None:
    """Raise an `AnatomyError` of one sentence if the backbone cannot carry the method.

    `unfit` says why the backbone lacks a trait, where it knows.
    """
    for trait in sorted(method.refuses.keys() & provides):
        raise AnatomyError(
            f"method `{method.name}` cannot run on `{label}`: {method.refuses[trait]}"
        )
    for trait in sorted(method.needs - provides):
        why = f": {unfit[trait]}" if trait in unfit else ""
        have = ", ".join(f"`{t}`" for t in sorted(provides)) or "nothing"
        raise AnatomyError(
            f"method `{method.name}` needs a backbone that provides `{trait}`, "
            f"and `{label}` provides {have}{why}"
        )
