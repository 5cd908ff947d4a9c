"""The life of one run, from a configuration to a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from onlay.config.run import RunConfig
from onlay.errors import RunError
from onlay.host import PluginHost
from onlay.machine.disk import prevented
from onlay.model.assemble import assemble
from onlay_train.display import Display, make_display
from onlay_train.engine import check_trackers, make_accelerator, start_trackers
from onlay_train.finish import finish
from onlay_train.folder import RunFolder
from onlay_train.loaders import size
from onlay_train.lock import only_writer
from onlay_train.loop import Trainer
from onlay_train.memory import reset_peak
from onlay_train.room import check_room
from onlay_train.seeding import seed_all
from onlay_train.summary import Summary

if TYPE_CHECKING:
    from onlay.data import Splits
    from onlay.model.adapted import AdaptedModel


_NOUNS = {"labels": "labels", "numbers": "numbers"}
"""What the names of targets are called, where they are no classes."""


def train(config: RunConfig, host: PluginHost, *, console: Console | None = None) -> Summary:
    """Train what a resolved configuration describes, or go on where an earlier start left off.

    A finished run is not trained again: its summary is read back.

    Raises:
        RunError: the folder holds another run, the disk is full, the loss is not finite.
        Stopped: SIGTERM or Ctrl-C came; the checkpoint is written.
        OnlayError: whatever else configuration, data or a plugin make impossible, in one sentence.
    """
    assert config.out is not None, "resolve the configuration first"
    folder = RunFolder(config.out)
    folder.claim(config)
    if folder.finished:
        return Summary.read(folder.summary)
    with only_writer(folder.path), disk_errors_in_words(folder):
        folder.claim(config)
        if folder.finished:  # by another start, since it was looked for
            return Summary.read(folder.summary)
        trainer, splits = prepare(config, host, folder)
        check_room(folder, trainer.plain.trained_state(), config.train)
        display = _display(trainer, config, console or Console())
        display.say(opening(trainer.plain, splits, config))
        if trainer.resume(display):
            display.say(resumed(trainer))
        if trainer.accelerator.is_main_process:
            for change in folder.changed_plugins(config):
                display.say(f"warning: {change}")
            folder.open(config)
            folder.rewrite(trainer.state.records)
        start_trackers(trainer.accelerator, config.model_dump(mode="json"))
        trainer.fit(display)
        return finish(trainer, config)


def prepare(
    config: RunConfig, host: PluginHost, folder: RunFolder, *, tracked: bool = True
) -> tuple[Trainer, Splits]:
    """Engine, data, model, optimizer; processes share initial weights and differ in dropout."""
    check_trackers(config.train)
    accelerator = make_accelerator(config.train, folder.path if tracked else None)
    reset_peak(accelerator.device)
    accelerator.wait_for_everyone()  # all have seen the folder as it was
    seed_all(config.train.seed)
    model, splits = assemble(config, host)
    if config.train.grad_checkpointing:
        model.set_grad_checkpointing(True)
    trainer = Trainer(
        model, splits, config.train, accelerator=accelerator, host=host, folder=folder
    )
    seed_all(config.train.seed, 1 + accelerator.process_index)
    return trainer, splits


def resumed(trainer: Trainer) -> str:
    """Where an earlier start left off."""
    progress = trainer.state.progress
    if trainer.finished:
        return f"resumed after the last epoch, at step {progress.step}: only the end is left"
    return f"resumed in epoch {progress.epoch + 1}/{trainer.config.epochs}, at step {progress.step}"


def opening(model: AdaptedModel, splits: Splits, config: RunConfig) -> str:
    """What is about to be trained, on what."""
    parts = {"training": splits.train, "validation": splits.validation, "test": splits.test}
    counts = ", ".join(f"{size(part):,} {name}" for name, part in parts.items() if part is not None)
    noun = _NOUNS.get(splits.targets, "classes")
    return "\n".join(
        [
            f"{config.method.name} on {model.built.label}: {model.trainable_report()}",
            f"{config.data.name}: {counts}; {len(splits.labels)} {noun}",
            *splits.facts.get("notes", ()),
        ]
    )


@contextmanager
def disk_errors_in_words(folder: RunFolder) -> Iterator[None]:
    """A full disk, or whatever else prevents a tracker from writing, as a `RunError`."""
    try:
        yield
    except Exception as error:
        reason = prevented(error, folder.path)
        if not reason:
            raise
        kept = "its last checkpoint is kept" if folder.checkpoint.exists() else "nothing was kept"
        raise RunError(
            f"`{folder.path}` cannot be written: {reason}; {kept}:"
            " mend that and type the same command to go on"
        ) from error


def _display(trainer: Trainer, config: RunConfig, console: Console) -> Display:
    return make_display(
        console,
        epochs=config.train.epochs,
        steps_per_epoch=trainer.parts.plan.steps(),
        metric=trainer.plain.head.main_metric,
        measure=trainer.measure,
        main=trainer.accelerator.is_main_process,
    )
