"""From a file to the tensor that a backbone is given.

Shapes: T numbers of one input.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from onlay.errors import DataError
from torch import Tensor

from .facts import MyModalityFacts


def reader(preprocessing: Mapping[str, Any]) -> Callable[[Path], Tensor]:
    """What `onlay predict` reads files with; your data sets should use it, too."""
    return Reader(MyModalityFacts.model_validate(preprocessing))


class Reader:
    """A class and no closure, so that it can be sent to another process."""

    def __init__(self, facts: MyModalityFacts) -> None:
        self.facts = facts

    def __call__(self, path: Path) -> Tensor:
        """The numbers of a file, (T,) float32."""
        numbers = torch.tensor(series(path)[: self.facts.length])
        scaled = (numbers - self.facts.mean) / self.facts.std
        return torch.nn.functional.pad(scaled, (0, self.facts.length - len(scaled)))


def series(path: Path) -> list[float]:
    """One number a line.

    Raises:
        DataError: the file cannot be read, is empty or holds something else; names it.
    """
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"`{path}` cannot be read as text: {error}") from error
    if not lines:
        raise DataError(f"`{path}` holds no number")
    return [_number(path, n, text) for n, text in enumerate(lines, 1)]


def _number(path: Path, place: int, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"`{text}`, the {place}. entry of `{path}`, is no number")
    return number
