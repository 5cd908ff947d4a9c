"""The facts by which an input is prepared, as a bundle keeps them: checked by their modality."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import Tensor

from onlay.descriptors import Modality, resolve
from onlay.errors import BundleError


def check(modality: Modality, facts: Mapping[str, Any], where: str, *, whole: bool = True) -> None:
    """Do the facts fit the modality's own class of them, if it has one?

    Args:
        where: what holds the facts, for the sentence.
        whole: complain also of what is missing; a model that was adapted by hand need not be able
            to read files.

    Raises:
        BundleError: names the first fact that is wrong.
    """
    if modality.preprocessing is None:
        return
    try:
        resolve(modality.preprocessing).model_validate(dict(facts))
    except ValidationError as error:
        wrong = [e for e in error.errors() if whole or e["type"] != "missing"]
        for first in wrong[:1]:
            name = ".".join(str(part) for part in ("preprocessing", *first["loc"]))
            raise BundleError(f"{where}: `{name}`: {first['msg']}") from error


def reader(modality: Modality, facts: Mapping[str, Any]) -> Callable[[Path], Tensor]:
    """The function that reads a file as the model was trained on it; fails as `check` does."""
    check(modality, facts, f"the model cannot read files of modality `{modality.name}`")
    if modality.preprocessing is not None:  # what is not said is as usual, if anything is
        usual = resolve(modality.preprocessing).model_validate(dict(facts))
        facts = {**usual.model_dump(exclude_none=True), **facts}
    return resolve(modality.reader)(facts)
