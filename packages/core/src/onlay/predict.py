"""Answers of an adapted model for files.

Shapes: B batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from onlay.descriptors import resolve
from onlay.errors import DataError
from onlay.task import PartsPrediction

if TYPE_CHECKING:
    from onlay.adapted import AdaptedModel
    from onlay.descriptors import Modality
    from onlay.host import PluginHost
    from onlay.task import Answer


def predict(
    model: AdaptedModel, paths: Sequence[Path], host: PluginHost, *, batch_size: int = 32
) -> Iterator[tuple[Path, Answer]]:
    """One answer for each file, in order; files are prepared as in training.

    A folder stands for all files in it, at any depth, that the modality reads, by name.

    Raises:
        DataError: a file that is not there or cannot be read, which it names; an empty folder.
    """
    modality = host.find("modality", model.built.modality)
    read = resolve(modality.reader)(model.preprocessing)
    device = next(model.parameters()).device
    model.eval()
    files = files_of(paths, modality)
    for start in range(0, len(files), batch_size):
        batch = files[start : start + batch_size]
        inputs_B = torch.stack([read(file) for file in batch]).to(device)
        with torch.inference_mode():
            output: Tensor = model(inputs_B)
        answers = zip(inputs_B, model.head.predict(output), strict=True)
        yield from zip(batch, (_with_points(*pair) for pair in answers), strict=True)


def _with_points(inputs_NC: Tensor, answer: Answer) -> Answer:
    if not isinstance(answer, PartsPrediction):
        return answer
    rows = inputs_NC[:, :3].double().cpu().tolist()
    return replace(answer, points=tuple(tuple(round(x, 6) for x in row) for row in rows))


def files_of(paths: Sequence[Path], modality: Modality) -> list[Path]:
    """The files that are meant; a file that is named itself is taken whatever its suffix."""
    return [file for path in paths for file in _files_of(path, modality)]


def _files_of(path: Path, modality: Modality) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"there is no file or folder `{path}`")
    found = [f for f in sorted(path.rglob("*")) if f.suffix.lower() in modality.suffixes]
    if not found:
        suffixes = ", ".join(sorted(modality.suffixes))
        raise DataError(f"the folder `{path}` holds no {modality.name} file ({suffixes})")
    return found
