"""Everything that moves while a run trains, and how it goes into a checkpoint and comes back."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from onlay.config.train import TrainConfig
from onlay.errors import RunError
from onlay.host import PluginHost
from onlay_train.checkpoint import gathered, load_optimizer, placed_like
from onlay_train.ema import Average
from onlay_train.optimizer import make_optimizer
from onlay_train.progress import Progress
from onlay_train.replay import check_closure
from onlay_train.schedule import Rates, make_schedule
from onlay_train.seeding import generator_states, restore_generators

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel


class TrainingState:
    """`model` is the adapted model as Accelerate wraps it, what is called; `plain` is unwrapped."""

    def __init__(
        self,
        plain: AdaptedModel,
        config: TrainConfig,
        *,
        accelerator: Accelerator,
        host: PluginHost,
        steps_per_epoch: int,
    ) -> None:
        self.plain, self.accelerator = plain, accelerator
        optimizer = make_optimizer(plain, config, host)
        check_closure(optimizer, accelerator)
        self.model, self.optimizer = accelerator.prepare(plain, optimizer)
        self.parameters = plain.trained_parameters()
        self.rates = Rates(config, steps_per_epoch)
        self.schedule = make_schedule(self.optimizer.optimizer, self.rates)
        decay = config.model_ema_decay
        self.average = Average(plain.trained_state(), decay) if decay else None
        self.progress = Progress()
        self.records: list[dict[str, float]] = []
        """What `metrics.jsonl` holds of the epochs that are done."""
        self.loss_sum = torch.zeros((), device=accelerator.device)
        self.best: dict[str, Tensor] | None = None
        """The trained tensors of the best epoch, whole and on the CPU, where a run selects one."""

    @property
    def total(self) -> int:
        """Optimizer steps of the whole run, as planned."""
        return self.rates.total

    def averaged(self) -> AbstractContextManager[None]:
        """The weights that are evaluated and saved: the moving average, if there is one."""
        return self.average.in_place() if self.average else nullcontext()

    def trained(self) -> dict[str, Tensor]:
        """The trained tensors, whole and on the CPU; every process must call it."""
        return gathered(self.plain.trained_state())

    def load_trained(self, tensors: dict[str, Tensor]) -> None:
        """Put whole tensors back, sharded where the model is."""
        own = self.plain.trained_state()
        self.plain.load_trained_state(
            {n: placed_like(t, own[n]) if n in own else t for n, t in tensors.items()}
        )

    def adopt(self, selection: str) -> int:
        """Make the selected weights the model's own; gives their epoch, from 1."""
        if selection != "last" and self.best is not None:
            self.load_trained(self.best)
            return self.progress.best_epoch
        if self.average:
            self.average.adopt()
        return self.progress.epoch

    def groups(self) -> list[list[str]]:
        """Names of the tensors of each of the optimizer's groups, in its order."""
        names = {id(tensor): name for name, tensor in self.parameters.items()}
        groups = self.optimizer.optimizer.param_groups
        return [[names.get(id(p), "?") for p in group["params"]] for group in groups]

    def _check_groups(self, saved: dict[str, Any]) -> None:
        """An optimizer knows its tensors by their order alone: what was kept of one would go to
        another. Older checkpoints tell how many there are in each group."""
        own, sizes = self.groups(), [len(g["params"]) for g in saved["optimizer"]["param_groups"]]
        if saved.get("groups", own) != own or sizes != list(map(len, own)):
            raise RunError(
                "the checkpoint was written by a version, or a plugin, that gives the optimizer its"
                " tensors in other groups: end the run with that one, or delete the run's folder to"
                " start it again"
            )

    def dump(self) -> dict[str, Any]:
        """A checkpoint's content; every process must call it, and the first one's is complete."""
        scaler = self.accelerator.scaler
        return {
            "trained": self.trained(),
            "optimizer": gathered(self.optimizer.optimizer.state_dict()),
            "groups": self.groups(),
            "schedule": self.schedule.state_dict(),
            "scaler": scaler.state_dict() if scaler else None,
            "average": gathered(self.average.state) if self.average else None,
            "generators": gather_object([generator_states()]),
            "progress": self.progress.dump(),
            "records": self.records,
            "loss_sum": self.accelerator.gather(self.loss_sum).cpu(),
            "best": self.best,
        }

    def load(self, saved: dict[str, Any]) -> None:
        """Go back to where `dump` was called.

        Generators are put back if as many processes take part as then; else they start afresh.

        Raises:
            RunError: the optimizer had its tensors in other groups.
        """
        self._check_groups(saved)
        self.load_trained(saved["trained"])
        load_optimizer(self.optimizer.optimizer, saved["optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        if self.accelerator.scaler and saved["scaler"]:
            self.accelerator.scaler.load_state_dict(saved["scaler"])
        if self.average:
            for name, tensor in saved["average"].items():
                own = self.average.state[name]
                own.copy_(placed_like(tensor, own))
        self.progress = Progress(**saved["progress"])
        self.records = list(saved["records"])
        sums = saved["loss_sum"].flatten()  # of each process; before 0.2 of the first alone
        several = len(sums) == self.accelerator.num_processes
        self.loss_sum.copy_(sums[self.accelerator.process_index] if several else sums.mean())
        self.best = saved["best"]
        if len(saved["generators"]) == self.accelerator.num_processes:
            restore_generators(saved["generators"][self.accelerator.process_index])
