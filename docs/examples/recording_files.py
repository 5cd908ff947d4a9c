"""From files to tensors.

Shapes: B batch, C channels, T samples, K classes.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recordings import RecordingFacts
from torch import Tensor
from torch.utils.data import Dataset

from onlay.errors import DataError


def reader(preprocessing: Mapping[str, Any]) -> "Reader":
    """What `onlay predict` and `onlay inspect` read files with."""
    return Reader(RecordingFacts.model_validate(preprocessing))


class Reader:
    """From a file to an input (C, T). A class and no closure: other processes get it, too."""

    def __init__(self, facts: RecordingFacts) -> None:
        self.facts = facts

    def __call__(self, path: Path) -> Tensor:
        facts, samples_CT = self.facts, torch.from_numpy(array(path))
        if len(samples_CT) != facts.channels:
            raise DataError(f"`{path}` has {len(samples_CT)} channels and not {facts.channels}")
        scaled_CT = (samples_CT[:, : facts.length] - facts.mean) / facts.std
        return torch.nn.functional.pad(scaled_CT, (0, facts.length - scaled_CT.shape[1]))


class Recordings(Dataset[tuple[Tensor, Any]]):
    """A part of some data: items (an input, the place of its class)."""

    def __init__(self, sources: Sequence[Path], targets: Any, read: Reader) -> None:
        self.sources, self.targets, self.read = sources, targets, read

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        return self.read(self.sources[index]), self.targets[index]


def array(path: Path) -> np.ndarray:
    """The samples of a file, (C, T) float32.

    Raises:
        DataError: names the file and says what is wrong with it.
    """
    try:
        samples = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"`{path}` cannot be read as an array: {error}") from error
    if samples.ndim != 2 or samples.dtype.kind not in "iuf" or not samples.size:
        raise DataError(f"`{path}` holds {samples.shape} and not numbers (channels, samples)")
    if not np.isfinite(samples).all():
        raise DataError(f"`{path}` holds what is no finite number")
    return samples.astype(np.float32)


def measure(config: Any) -> Callable[[Path], Sequence[int]]:
    """What `onlay data check` reads files with; `config` is the data set's."""
    return extent


def extent(path: Path) -> Sequence[int]:
    """Channels and samples of a file, all of which is read."""
    return array(path).shape


def mixup(inputs_BCT: Tensor, targets_BK: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Each recording becomes a share of itself and the rest of the one before it."""
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    mixed = [share * x + (1 - share) * x.roll(1, 0) for x in (inputs_BCT, targets_BK)]
    return mixed[0], mixed[1]
