"""Batches whose inputs are mixed with one another, and their targets with them: mixup, cutmix.

Which batches, with what and how much is a function of (seed, epoch, position of the batch), so that
a run can go on. How two inputs become one is the modality's knowledge, what targets become the
task's.

Shapes: B batch, C classes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from onlay.config.train import TrainConfig
from onlay.descriptors import resolve
from onlay.errors import ConfigError
from onlay.host import PluginHost
from onlay.machine.chance import generators_kept, seed_host

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel

NAMES = ("mixup", "cutmix")
"""Fields of the configuration, each the alpha of one way to mix."""
_OWN = 0x6D6978
"""Tells the seeds of batches from those of samples."""

Mix = Callable[[Any, Tensor, float], tuple[Any, Tensor]]


@dataclass(frozen=True)
class Mixing:
    """`mixes` are the ways that are on; `soft` makes shares (B, C) of a batch's targets."""

    config: TrainConfig
    mixes: Mapping[str, Mix]
    soft: Callable[[Any], Tensor]

    def of(
        self, batches: Iterable[Any], epoch: int, positions: Iterable[int]
    ) -> Iterator[tuple[Any, Tensor]]:
        """Batches `(inputs, shares)`, mixed or not, at these positions of an epoch."""
        off = 0 < self.config.mixup_off_epoch <= epoch
        for (inputs, targets), position in zip(batches, positions, strict=False):
            targets = self.soft(targets)
            yield (inputs, targets) if off else self._mixed(inputs, targets, epoch, position)

    def _mixed(self, inputs: Any, targets: Tensor, *place: int) -> tuple[Any, Tensor]:
        with generators_kept():
            seed_host(self.config.seed, *place, _OWN)
            name = self._drawn()
            if name is None:
                return inputs, targets
            return self.mixes[name](inputs, targets, getattr(self.config, name))

    def _drawn(self) -> str | None:
        """The way in which the next batch is mixed, if it is."""
        mixed, cut = random.random(), random.random()
        if mixed >= self.config.mixup_prob:
            return None
        if len(self.mixes) == 1:
            return next(iter(self.mixes))
        return "cutmix" if cut < self.config.mixup_switch_prob else "mixup"


def mixing_of(model: AdaptedModel, config: TrainConfig, host: PluginHost) -> Mixing | None:
    """What a run asks for; None where nothing is mixed.

    Raises:
        ConfigError: the modality has no such way, or the task takes no shares of classes.
    """
    wanted = [name for name in NAMES if getattr(config, name)]
    if not wanted:
        return None
    modality = host.find("modality", model.built.modality)
    for name in wanted:
        if name not in modality.mixes:
            have = ", ".join(f"`{other}`" for other in modality.mixes) or "nothing"
            raise ConfigError(
                f"`train.{name}` cannot mix inputs of modality `{modality.name}` (have: {have})"
            )
    soft = getattr(model.head, "soft_targets", None)
    if soft is None:
        raise ConfigError(
            f"`train.{wanted[0]}` mixes targets, too, and the task `{model.task.name}` takes none"
            " that are mixed: leave it out"
        )
    return Mixing(config, {name: resolve(modality.mixes[name]) for name in wanted}, soft)
