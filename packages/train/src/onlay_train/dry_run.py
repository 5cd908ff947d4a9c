"""What a run would train, without training."""

from __future__ import annotations

from torch.optim import Optimizer

from onlay.config.run import RunConfig
from onlay.host import PluginHost
from onlay_train.folder import RunFolder
from onlay_train.lock import only_writer
from onlay_train.run import begin, opening, prepare


def describe(config: RunConfig, host: PluginHost) -> str:
    """The adapted sites, the three parameter counts and the data's.

    Raises:
        OnlayError: whatever would stop the training before its first step.
    """
    assert config.out is not None, "resolve the configuration first"
    folder = RunFolder(config.out)
    folder.claim(config)
    with only_writer(folder.path):  # whether it can be written; an empty one is gone afterwards
        accelerator, run = begin(config, folder, host)
        said: list[str] = []
        trainer, splits = prepare(run, accelerator, host, folder, say_kept=said.append, fill=False)
    sites, plan = trainer.plain.adapter.sites, trainer.parts.plan
    processes = "one process" if plan.world == 1 else f"{plan.world} processes"
    return "\n".join(
        [
            f"sites ({len(sites)}):" + ("" if sites else " none"),
            *(f"  {site}" for site in sites),
            opening(trainer.plain, splits, config),
            *said,
            *groups(trainer.state.optimizer.optimizer, config.train.sched),
            f"{config.train.epochs} epochs of {plan.steps():,} steps on {processes};"
            " nothing was trained",
        ]
    )


def groups(optimizer: Optimizer, sched: str) -> list[str]:
    """The optimizer, and how many parameters step at which peak rate and decay."""
    return [
        f"{type(optimizer).__name__}, {sched} schedule:",
        *(
            f"  {sum(p.numel() for p in group['params']):,} parameters at lr"
            f" {group['initial_lr']:g}, weight decay {group.get('weight_decay', 0):g}"
            for group in optimizer.param_groups
        ),
    ]
