"""Answers of an adapted model for files.

Shapes: B batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from onlay.errors import DataError
from onlay.host.missing import find_made
from onlay.machine.notes import note_all
from onlay.model.answers import Answers
from onlay.model.pieces import InPieces, blended
from onlay.model.preprocessing import reader
from onlay.reading.finding import Found, find
from onlay.task import Input

if TYPE_CHECKING:
    from onlay.descriptors import Modality
    from onlay.host import PluginHost
    from onlay.model.adapted import AdaptedModel
    from onlay.task import Answer


Unreadable = tuple[Path, DataError]
"""A file, and why it cannot be read."""


def predict(
    model: AdaptedModel,
    paths: Sequence[Path],
    host: PluginHost,
    *,
    batch_size: int = 32,
    unreadable: list[Unreadable] | None = None,
) -> Iterator[tuple[Path, Answer]]:
    """One answer for each file, in order; files are prepared as in training.

    A folder stands for all files in it, at any depth, that training would find there. Files that
    cannot be read are put into the list `unreadable`, if there is one, and have no answer.

    Raises:
        DataError: a file that is not there or cannot be read, which it names; an empty folder.
    """
    modality = modality_of(model, host)
    read = reader(modality, model.preprocessing)
    device = next(model.parameters()).device
    model.eval()
    answers = Answers.of(model)
    inputs = readable(files_of(paths, modality), read, unreadable)
    for pairs in batches(inputs, batch_size):
        first: Any = pairs[0][1]
        if isinstance(first, InPieces):
            output: Any = blended(model, first.pieces, batch_size)
            shown: Iterable[Tensor] = [first.whole]
        else:
            inputs_B = torch.stack([tensor for _, tensor in pairs])
            with torch.inference_mode():
                output = model(inputs_B.to(device))
            shown = inputs_B
        given = answers.given(model.head, output, len(pairs))
        for answer, (file, _), tensor in zip(given, pairs, shown, strict=True):
            yield file, answers.about(answer, Input(file, tensor, model.preprocessing))
    note_all(read)


def batches(inputs: Iterator[tuple[Path, Any]], size: int) -> Iterator[list[tuple[Path, Any]]]:
    """Files and inputs, so many at a time; one that is in pieces comes alone."""
    while pairs := list(islice(inputs, 1)):
        if not isinstance(pairs[0][1], InPieces):
            pairs += islice(inputs, size - 1)
        yield pairs


def modality_of(model: AdaptedModel, host: PluginHost) -> Modality:
    """What reads files for a model; fails as `host.find` does and says what to install."""
    name, made = model.built.modality, model.packages.get("modality")
    return find_made(host, "modality", name, made, "the adapter")


def readable(
    files: Sequence[Path], read: Callable[[Path], Tensor], unreadable: list[Unreadable] | None
) -> Iterator[tuple[Path, Tensor]]:
    """Files with what is read of each; those that cannot be read go into the list, if there is
    one, else the first is an error."""
    for file in files:
        try:
            yield file, read(file)
        except DataError as error:
            if unreadable is None:
                raise
            unreadable.append((file, error))


def files_of(paths: Sequence[Path], modality: Modality) -> list[Path]:
    """The files that are meant; see `found_in`."""
    return list(found_in(paths, modality).files)


def found_in(paths: Sequence[Path], modality: Modality) -> Found:
    """The files that are meant, in order, and what was left out of folders; a file that is named
    itself is taken whatever it is called.

    Raises:
        DataError: nothing is there, or a folder without a file that counts.
    """
    each = [_found_in(path, modality) for path in paths]
    left_out = sum((found.left_out for found in each), Counter[str]())
    return Found(tuple(file for found in each for file in found.files), left_out)


def _found_in(path: Path, modality: Modality) -> Found:
    if path.is_file():
        return Found((path,), Counter())
    if not path.is_dir():
        raise DataError(f"there is no file or folder `{path}`")
    found = find(path, modality.suffixes)
    if not found.files:
        suffixes = ", ".join(sorted(modality.suffixes))
        also = "".join(f"; {note}" for note in found.notes)
        raise DataError(f"the folder `{path}` holds no {modality.name} file ({suffixes}){also}")
    return found
