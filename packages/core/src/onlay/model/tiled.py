"""Answers for inputs that are given to the network in pieces that overlap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from onlay.descriptors import Modality, resolve
from onlay.errors import ConfigError
from onlay.model.answers import Answers
from onlay.model.pieces import Piece, blended, put_together
from onlay.model.predict import Unreadable, files_of, modality_of, readable
from onlay.model.preprocessing import check
from onlay.task import Input

if TYPE_CHECKING:
    from onlay.host import PluginHost
    from onlay.model.adapted import AdaptedModel
    from onlay.task import Answer


class Tiles(Protocol):
    """How a modality cuts its inputs."""

    preprocessing: Mapping[str, Any]
    """How inputs in full are made of files, for answers (`onlay.task.Input`)."""

    def read(self, source: Path) -> Tensor:
        """An input in full."""
        ...

    def cut(self, inputs: Tensor) -> Sequence[Piece]:
        """Its pieces."""
        ...


def predict_in_tiles(
    model: AdaptedModel,
    paths: Sequence[Path],
    host: PluginHost,
    *,
    size: tuple[int, int],
    overlap: int,
    batch_size: int = 32,
    unreadable: list[Unreadable] | None = None,
) -> Iterator[tuple[Path, Answer]]:
    """As `onlay.model.predict.predict`, each file in full and in its own size: `batch_size` tiles
    at a time, and what the head makes of them blended where they overlap.

    Raises:
        ConfigError: a task whose output does not lie on its input, inputs that have no tiles, an
            overlap that is no smaller than a tile, a tile that the backbone does not take.
        DataError: as `predict`.
    """
    modality = modality_of(model, host)
    tiles = tiles_of(model, modality, size, overlap)
    answers = Answers.of(model)
    model.eval()
    for file, inputs in readable(files_of(paths, modality), tiles.read, unreadable):
        output = blended(model, tiles.cut(inputs), batch_size)
        (answer,) = answers.given(model.head, output, 1)
        yield file, answers.about(answer, Input(file, inputs, tiles.preprocessing))


def tiles_of(model: AdaptedModel, modality: Modality, size: tuple[int, int], overlap: int) -> Tiles:
    """What cuts a model's inputs; fails as `predict_in_tiles` says."""
    if not lies_on_inputs(model.head):
        raise ConfigError(
            f"what `{model.task.name}` answers does not lie on its input pixel by pixel, so it"
            " cannot be put together from tiles: leave out `--tile`"
        )
    if modality.tiles is None:
        raise ConfigError(f"inputs of modality `{modality.name}` are not cut into tiles")
    if overlap >= min(size):
        raise ConfigError(
            f"tiles of {size[0]} x {size[1]} cannot overlap by {overlap}: give a larger `--tile` or"
            " a smaller `--overlap`"
        )
    check(modality, model.preprocessing, f"files of modality `{modality.name}` cannot be read")
    make = resolve(modality.tiles)
    return make(model.preprocessing, model.built.input_spec, size, overlap)


def lies_on_inputs(head: Any) -> bool:
    """Whether outputs for pieces of an input can be made one for all of it."""
    return put_together(head) is not None or all_maps(getattr(head, "output_kinds", None))


def all_maps(kinds: Any) -> bool:
    """Whether every leaf of `TaskHead.output_kinds` is a map."""
    if isinstance(kinds, Mapping | tuple):
        branches = kinds.values() if isinstance(kinds, Mapping) else kinds
        return bool(kinds) and all(map(all_maps, branches))
    return kinds == "map"
