"""What a run would train, without training."""

from __future__ import annotations

from onlay.assemble import assemble
from onlay.config.run import RunConfig
from onlay.host import PluginHost
from onlay_train.loaders import size
from onlay_train.run import opening
from onlay_train.sampler import Plan


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
