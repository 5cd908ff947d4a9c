"""What is kept of a part of the data: items read once, passed through the front, written."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from accelerate.utils import send_to_device
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from onlay.batches import stacked
from onlay.errors import ConfigError, DataError
from onlay.machine.chance import generators_kept, seed_host
from onlay_train.cache.items import Targets
from onlay_train.cache.probe import Around

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel
    from onlay.model.prefix import Prefix

Key = tuple[int, int]
"""(view, index)."""


class Watched(Dataset[Any]):
    """Items as a training epoch sees them, and whether chance had a part in each."""

    def __init__(self, part: Any, seed: int, *, fills: bool, chance: bool) -> None:
        self.part, self.seed, self.fills, self.chance = part, seed, fills, chance

    def __getitem__(self, key: Key) -> tuple[Any, Any, bool]:  # type: ignore[override]
        view, index = key
        with generators_kept():
            seed_host(self.seed, view, index)
            before = _states()
            inputs, target = self.part[index]
            return inputs, target, _states() != before


def content(items: Watched, targets: Targets, workers: int) -> str:
    """A hash of what each item is now, in its first view: a file that was written anew has the
    name, and may have the size, of the one that was kept."""
    found = hashlib.blake2b(digest_size=16)
    keys: Any = [(0, index) for index in range(len(items.part))]
    for inputs, target, _ in DataLoader(
        items,
        sampler=keys,
        batch_size=None,
        num_workers=workers,
        collate_fn=tuple,  # type: ignore[arg-type]
    ):
        for tensor in (torch.as_tensor(inputs), *targets.taken(target).values()):
            found.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
            found.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()


def _states() -> tuple[Any, ...]:
    _, words, place, *_ = np.random.get_state(legacy=True)
    drawn = np.asarray(words).tobytes(), torch.get_rng_state().numpy().tobytes()
    return random.getstate(), place, *drawn


class Filler:
    """Captures batches of the front's outputs; `precision` is what kept floats are rounded to."""

    def __init__(
        self,
        model: AdaptedModel,
        prefix: Prefix,
        around: Around,
        precision: torch.dtype,
        device: torch.device,
    ) -> None:
        self.model, self.prefix, self.around = model, prefix, around
        self.precision, self.device = precision, device

    def rounded(self, found: dict[str, Tensor]) -> dict[str, Tensor]:
        """In the precision in which they are kept; whole numbers and inputs as they are.

        Raises:
            ConfigError: a number is too large for it.
        """
        floats = {n: t for n, t in found.items() if t.dtype == torch.float32 and n != "inputs"}
        kept = {n: t.to(self.precision) for n, t in floats.items()}
        if any((t.isinf() & floats[n].isfinite()).any() for n, t in kept.items()):
            most = torch.finfo(self.precision).max
            raise ConfigError(
                f"`train.cache_dtype` holds numbers up to {most:,.0f}, and the frozen part of the"
                " backbone gives larger ones: take `bf16` or `float32`"
            )
        return found | kept

    @torch.no_grad()
    def batches(
        self, items: Watched, keys: Sequence[Key], size: int, targets: Targets, workers: int
    ) -> Iterator[tuple[int, dict[str, Tensor]]]:
        """In the order of `keys`, by batches of one size.

        Raises:
            ConfigError: an item is changed by chance where none may be.
        """
        starts = range(0, len(keys), size)
        dealt = [list(keys[start : start + size]) for start in starts]
        if items.fills:  # the size decides on the last bits, and most batches of an epoch are full
            dealt[-1] += [keys[i % len(keys)] for i in range(size - len(dealt[-1]))]
        loader = DataLoader(
            items,
            batch_sampler=dealt,
            num_workers=workers,
            collate_fn=list,  # type: ignore[arg-type]
        )
        for start, read in zip(starts, loader, strict=True):
            if not items.chance:
                refuse_chance(read)
            yield start, self._kept(read[: len(keys) - start], read, targets)

    def _kept(self, own: Any, read: Any, targets: Targets) -> dict[str, Tensor]:
        inputs: Any = send_to_device(stacked_inputs(read), self.device)
        with self.around():
            found = self.rounded(self.prefix.capture(self.model, inputs))
        kept = {name: t[: len(own)] for name, t in found.items()}
        told = [targets.taken(target) for _, target, _ in own]
        return kept | {name: torch.stack([t[name] for t in told]) for name in told[0]}


def stacked_inputs(read: Sequence[Any]) -> Tensor:
    """
    Raises:
        DataError: inputs of different shapes.
    """
    try:
        return stacked([inputs for inputs, *_ in read])
    except DataError as error:
        raise DataError(
            f"`train.cache` keeps inputs of one shape, and {error}: leave it out, or let the data"
            " set give all of one size"
        ) from error


def refuse_chance(read: Sequence[Any]) -> None:
    """Raise a `ConfigError` for items that change from one look to the next."""
    if any(drew for *_, drew in read):
        raise ConfigError(
            "the data set changes its items by chance (augmentation, samples of points), and"
            " `train.cache` keeps what it is shown: set `train.cache_views` to the number of views"
            " of each training sample that are kept, or turn augmentation off"
        )
