"""The end of a run: weights chosen, test part evaluated once, bundle, plot, summary."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from onlay.config.chosen import choices
from onlay.config.run import RunConfig
from onlay_train.loop import Trainer
from onlay_train.memory import peak_bytes
from onlay_train.plot import plot_run
from onlay_train.summary import Summary
from onlay_train.telling import tell


def finish(trainer: Trainer, config: RunConfig) -> Summary:
    """Leave everything that a run leaves; `summary.json` comes last and marks it as finished."""
    accelerator, model, folder = trainer.accelerator, trainer.plain, trainer.folder
    chosen = trainer.state.adopt(config.train.selection)
    metrics = final_metrics(trainer, chosen)
    accelerator.unwrap_model(trainer.state.model, keep_fp32_wrapper=False)
    model.eval()
    with whole(trainer.state.model):
        if accelerator.is_main_process:
            model.save_pretrained(folder.bundle, record=_record(trainer, config, metrics, chosen))
    accelerator.wait_for_everyone()
    summary = summarize(trainer, config, chosen, metrics)
    if accelerator.is_main_process:
        main = model.head.main_metric
        plot_run(
            folder.history(),
            folder.curves,
            main,
            title=_title(config),
            measure=trainer.measure,
        )
        folder.finish(summary.text())
    trainer.track({f"final/{name}": value for name, value in metrics.items()}, step=None)
    tell(accelerator, trainer.host.run_finished, model, folder.path, summary.dump(), trainer.run)
    return summary


def final_metrics(trainer: Trainer, chosen: int) -> dict[str, float]:
    """Metrics of the chosen weights, as `split_metric`."""
    progress = trainer.state.progress
    judged = progress.best if chosen == progress.best_epoch else progress.last
    metrics = {f"{trainer.judged}_{name}": value for name, value in judged.items()}
    for split in ("test", "train"):
        if split != trainer.judged and split in trainer.parts.evaluations:
            metrics |= _evaluated(trainer, split)
    return metrics


def _evaluated(trainer: Trainer, split: str) -> dict[str, float]:
    found = trainer.evaluate(split)
    told = trainer.plain, split, found, trainer.run
    tell(trainer.accelerator, trainer.host.evaluated, *told)
    return {f"{split}_{name}": value for name, value in found.items()}


def summarize(
    trainer: Trainer, config: RunConfig, chosen: int, metrics: dict[str, float]
) -> Summary:
    """The run in numbers."""
    model, report = trainer.plain, trainer.plain.trainable_report()
    device, progress = trainer.accelerator.device, trainer.state.progress
    early = progress.epoch < config.train.epochs
    return Summary(
        folder=str(trainer.folder.path),
        method=config.method.name,
        backbone=model.built.label,
        main_metric=model.head.main_metric,
        metrics=metrics,
        selection=config.train.selection,
        chosen_epoch=chosen,
        epochs=progress.epoch,
        stopped_early=progress.epoch - progress.best_epoch if early else 0,
        seed=config.train.seed,
        parameters=report.counts | {"backbone": report.backbone},
        seconds=progress.seconds,
        peak_bytes=peak_bytes(device),
        device=device.type,
        bundle_bytes=folder_bytes(trainer.folder.bundle),
        measures={name: asdict(measure) for name, measure in trainer.measures.items()},
        chosen=choices(config.task, model.task),
    )


def folder_bytes(folder: Path) -> int:
    """Size of all files below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def whole(model: nn.Module) -> Iterator[None]:
    """Inside, no parameter is sharded; every process must enter."""
    from torch.distributed.fsdp import FSDPModule

    sharded = [module for module in model.modules() if isinstance(module, FSDPModule)]
    for module in sharded:
        module.unshard()
    try:
        yield
    finally:
        for module in sharded:
            module.reshard()


def _record(
    trainer: Trainer, config: RunConfig, metrics: dict[str, float], chosen: int
) -> dict[str, Any]:
    return {
        "metrics": metrics,
        "measures": trainer.measures,
        "dataset": config.data.name,
        "split": trainer.parts.digest,
        "seed": config.train.seed,
        "epochs": chosen,
        "command": _command(),
    }


def _command() -> str:
    """How it was started. What a comparison, a job or a program in Python started is trained once
    more by the file in its folder."""
    program, *words = sys.argv or [""]
    by_hand = Path(program).stem in ("onlay", "__main__") and words[:1] != ["compare"]
    return shlex.join(["onlay", *words]) if by_hand else "onlay train config.yaml"


def _title(config: RunConfig) -> str:
    return f"{config.method.name} on {config.data.name}"
