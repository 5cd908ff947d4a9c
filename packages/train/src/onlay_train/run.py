"""The life of one run, from a configuration to a bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from accelerate import Accelerator
from rich.console import Console

from onlay.config.chosen import choices
from onlay.config.run import RunConfig
from onlay.errors import BundleError, OnlayError, RunError
from onlay.hooks import Run
from onlay.host import PluginHost
from onlay.machine.chance import generators_kept
from onlay.machine.disk import prevented
from onlay.model.assemble import assemble
from onlay.model.preprocessing import check
from onlay_train.cache.setup import cached
from onlay_train.display import Display, make_display
from onlay_train.engine import make_accelerator
from onlay_train.finish import finish
from onlay_train.folder import RunFolder
from onlay_train.loaders import size
from onlay_train.lock import only_writer
from onlay_train.loop import Trainer
from onlay_train.memory import reset_peak
from onlay_train.report import say
from onlay_train.room import check_room
from onlay_train.seeding import seed_all
from onlay_train.signals import Stopped
from onlay_train.summary import Summary
from onlay_train.trackers import check_trackers, tracked

if TYPE_CHECKING:
    from onlay.data import Splits
    from onlay.model.adapted import AdaptedModel


_NOUNS = {
    "labels": ("label", "labels"),
    "numbers": ("number", "numbers"),
    "several": ("name", "names of classes and other targets"),
}
"""What the names of targets are called, where they are no classes."""
_NAMELESS = {"depth"}
"""Targets that are of one kind."""


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
        accelerator, run = begin(config, folder, host)
        shown = console or Console()
        with failure_told(host, run, shown):
            return _trained(run, accelerator, host, folder, shown)


def begin(config: RunConfig, folder: RunFolder, host: PluginHost) -> tuple[Accelerator, Run]:
    """The engine, and the run as plugins are told of it."""
    check_trackers(config.train, host)
    accelerator = make_accelerator(config.train)
    run = folder.run(config)
    accelerator.wait_for_everyone()  # all have seen the folder as it was
    return accelerator, run


def _trained(
    run: Run, accelerator: Accelerator, host: PluginHost, folder: RunFolder, console: Console
) -> Summary:
    main = accelerator.is_main_process
    trainer, splits = prepare(
        run, accelerator, host, folder, say_kept=lambda text: say(text, console) if main else None
    )
    check_room(folder, trainer.plain.trained_state(), run.config.train)
    display = _display(trainer, run.config, console)
    display.say(opening(trainer.plain, splits, run.config))
    if said := unreadable(trainer.plain, host):
        display.say(f"warning: {said}")
    if trainer.resume(display):
        display.say(resumed(trainer))
    if accelerator.is_main_process:
        for change in folder.changed_plugins(run.config):
            display.say(f"warning: {change}")
        folder.open(run, trainer.parts.plan.samples)
        folder.rewrite(trainer.state.records)
    with tracked(accelerator, run, host, console):
        trainer.fit(display)
        return finish(trainer, run.config)


def unreadable(model: AdaptedModel, host: PluginHost) -> str:
    """Why no file will be read with the bundle of a run, where its data lack a fact that the
    modality's reader needs."""
    modality = host.modalities.get(model.built.modality)
    if modality is None:
        return ""
    try:
        check(modality, model.preprocessing, "the data say too little for `onlay predict`")
    except BundleError as error:
        return str(error)
    return ""


def prepare(
    run: Run,
    accelerator: Accelerator,
    host: PluginHost,
    folder: RunFolder,
    *,
    say_kept: Callable[[str], None],
    fill: bool = True,
) -> tuple[Trainer, Splits]:
    """Data, model, optimizer; processes share initial weights and differ in dropout.

    What the frozen front of the backbone gives is computed before, if it is to be kept, or with
    `fill=False` its size is only told.
    """
    config = run.config.train
    reset_peak(accelerator.device)
    seed_all(config.seed)
    model, splits = assemble(run.config, host, run)
    if config.cache:
        with generators_kept():
            splits = cached(model, splits, run.config, accelerator, say=say_kept, fill=fill)
    if config.grad_checkpointing:
        model.set_grad_checkpointing(True)
    trainer = Trainer(
        model, splits, config, accelerator=accelerator, host=host, folder=folder, run=run
    )
    seed_all(config.seed, 1 + accelerator.process_index)
    return trainer, splits


@contextmanager
def failure_told(host: PluginHost, run: Run, console: Console) -> Iterator[None]:
    """Whatever ends a run, but a signal, is told to the plugins; what one of them makes of that is
    no more than a line."""
    try:
        yield
    except Stopped:
        raise
    except BaseException as error:
        try:
            host.run_failed(run, error)
        except OnlayError as failure:
            say(f"warning: {failure}", console)
        raise


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
    noun = _NOUNS.get(splits.targets, ("class", "classes"))[len(splits.labels) != 1]
    named = "" if splits.targets in _NAMELESS else f"; {len(splits.labels)} {noun}"
    return "\n".join(
        [
            f"{config.method.name} on {model.built.label}: {model.trainable_report()}",
            *(f"chosen: task.{name}={x}" for name, x in choices(config.task, model.task).items()),
            f"{config.data.name}: {counts}{named}",
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
