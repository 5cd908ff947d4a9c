"""A few inputs of the judged part with what is said of them, for trackers that take pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from onlay.batches import mapped, rows, size_of
from onlay.host import PluginHost
from onlay.model.adapted import AdaptedModel
from onlay.model.answers import Answers
from onlay_train.rasters import coloured, rasters, strip, thumbnail


class Pictured:
    """Keeps the first outputs and targets that `Evaluation` shows of one process's share."""

    def __init__(self, count: int) -> None:
        self.count, self.kept = count, list[tuple[Any, Any]]()

    def __call__(self, output: Any, targets: Any) -> None:
        """A batch; nothing is kept beyond so many inputs."""
        missing = self.count - sum(size_of(one) for one, _ in self.kept)
        if missing > 0:
            first = slice(missing)
            self.kept.append((_off(rows(output, first)), _off(rows(targets, first))))

    def strips(
        self, model: AdaptedModel, part: Dataset[Any], world: int, host: PluginHost
    ) -> list[np.ndarray]:
        """Bytes (S, ..., 3) of each input: its picture, the answer, the truth and how they differ;
        empty where the task draws no maps. The main process's share of `world` begins with the
        first item."""
        asked, modality = Answers.of(model), host.modalities.get(model.built.modality)
        found, place = list[np.ndarray](), 0
        for output, targets in self.kept:
            for index, answer in enumerate(asked.given(model.head, output, size_of(output))):
                true = asked.true(model.head, rows(targets, slice(index, index + 1)))
                pieces = asked.drawn(answer) if true is None else asked.compared(answer, true)
                if maps := [coloured(raster) for raster in rasters(pieces)]:
                    shown = thumbnail(part[place * world][0], model.preprocessing, modality)
                    found.append(strip(shown + maps))
                place += 1
        return found


def _off(tree: Any) -> Any:
    """Without its graph; a copy, as what is evaluated may be used again."""
    return mapped(_plain, tree)


def _plain(leaf: Any) -> Any:
    if isinstance(leaf, list):
        return [_off(each) for each in leaf]
    return leaf.detach().clone() if isinstance(leaf, torch.Tensor) else leaf
