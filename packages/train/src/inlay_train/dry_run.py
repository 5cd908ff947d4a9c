"""What a run would train, without training."""

from __future__ import annotations

from inlay.assemble import assemble
from inlay.config.run import RunConfig
from inlay.host import PluginHost
from inlay_train.loaders import size
from inlay_train.run import opening
from inlay_train.sampler import Plan


def describe(config: RunConfig, host: PluginHost) -> str:
    """The adapted sites, the three parameter counts and the data's."""
    model, splits = assemble(config, host)
    sites = model.adapter.sites
    plan = Plan(
        size=size(splits.train),
        batch_size=config.train.batch_size,
        accumulate=config.train.grad_accum_steps,
    )
    steps = plan.steps()
    return "\n".join(
        [
            f"sites ({len(sites)}):" + ("" if sites else " none"),
            *(f"  {site}" for site in sites),
            opening(model, splits, config),
            f"{config.train.epochs} epochs of {steps:,} steps on one process; nothing was trained",
        ]
    )
