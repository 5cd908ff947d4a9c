"""The training loop, to be read from `Trainer.train_step` outwards."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from torch import Tensor

from onlay.config.train import TrainConfig
from onlay.data import Splits
from onlay.errors import DivergedError, OnlayError, PluginError, RunError
from onlay.figures import Figures
from onlay.hooks import Run
from onlay.host import PluginHost
from onlay.machine.system import replace
from onlay.reports import measure_named, measures_of
from onlay_train.cache.items import KeptItems, kept_batch
from onlay_train.checkpoint import Damaged, Growing, load_checkpoint, save_checkpoint
from onlay_train.display import Display
from onlay_train.evaluation import Seen
from onlay_train.folder import RunFolder
from onlay_train.loaders import collate_of
from onlay_train.mixing import mixing_of
from onlay_train.pace import require_same_pace, require_same_precision
from onlay_train.parts import Parts
from onlay_train.pictured import Pictured
from onlay_train.replay import Replay
from onlay_train.selection import judged_split, stopped_early
from onlay_train.shares import Share, shared
from onlay_train.signals import Agreement, Stopped, StopRequests
from onlay_train.state import TrainingState
from onlay_train.telling import tell

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel


class Trainer:
    """One training of an adapted model on the parts of a data set, into a run folder."""

    def __init__(
        self,
        plain: AdaptedModel,
        splits: Splits,
        config: TrainConfig,
        *,
        accelerator: Accelerator,
        host: PluginHost,
        folder: RunFolder,
        run: Run,
    ) -> None:
        self.plain, self.config, self.accelerator = plain, config, accelerator
        self.run = run
        self.host, self.folder, self.display = host, folder, Display()
        self.judged = judged_split(config, splits)
        self.measures = measures_of(plain.head)
        self.measure = measure_named(plain.head.main_metric, self.measures)
        self.parts = Parts(
            splits,
            config,
            accelerator,
            mixing_of(plain, config, host),
            kept_batch if plain.prefix else collate_of(plain.head),
            repeats=splits.facts.get("train_repeats", 1),
        )
        self.state = TrainingState(
            plain,
            config,
            accelerator=accelerator,
            host=host,
            steps_per_epoch=self.parts.plan.steps(),
        )
        self.replay = Replay(self.state.model, self.state.optimizer, accelerator, self.clip)
        self.stop = StopRequests()
        self.agreement = Agreement() if accelerator.num_processes > 1 else None
        self.checked = False
        self.clock = time.perf_counter()

    def train_step(self, batch: Any, share: Share = 1.0) -> Tensor:
        """Forward, loss, backward; then, once accumulated, clip and step. Gives the loss."""
        state = self.state
        inputs, targets = batch
        with self.accelerator.accumulate(state.model):
            loss = state.model(inputs, targets, share=share)
            self.accelerator.backward(loss)
            if not self.checked:
                self.require_gradients()
            if self.accelerator.sync_gradients:
                self.clip()
            self.replay.step(batch, share)
            self.after_step()
            state.optimizer.zero_grad()
        return loss.detach()

    def clip(self) -> None:
        """Shorten the gradient of a step."""
        if self.config.clip_grad:
            self.accelerator.clip_grad_norm_(self.state.parameters.values(), self.config.clip_grad)

    def after_step(self) -> None:
        """Tell the method's modules of a step, if there was one: not of a batch that is only
        accumulated, nor of a step that fp16 skips."""
        accelerator = self.accelerator
        if accelerator.sync_gradients and not accelerator.optimizer_step_was_skipped:
            self.plain.after_step(self.state.progress.step + 1, self.state.total)

    def fit(self, display: Display) -> None:
        """Train to the end, from where the state stands.

        Raises:
            Stopped: a signal came; the checkpoint is written.
            RunError: the loss is not finite, or a trained tensor gets no gradient.
            PluginError: a plugin failed in a hook; the checkpoint is written.
        """
        self.display = display
        with self.stop, display:
            try:
                while not self.finished:
                    self.train_epoch()
                    self.close_epoch()
            except (PluginError, Stopped):
                self.save()
                raise
            if said := stopped_early(self.state.progress, self.config, self.plain.head.main_metric):
                display.say(said)

    @property
    def finished(self) -> bool:
        """Are all epochs done, or did early stopping end the run?"""
        progress = self.state.progress
        return progress.stale(self.config.early_stopping) or progress.epoch >= self.config.epochs

    def train_epoch(self) -> None:
        """The steps of the epoch that are not yet done."""
        state = self.state
        state.model.train()
        self.clock = time.perf_counter()
        self.display.start(state.progress.epoch, state.progress.step)
        batches = self.parts.from_offset(state.progress.epoch, state.progress.offset)
        accumulate = self.config.grad_accum_steps
        for batch, share in shared(batches, self.plain.head, self.accelerator, accumulate):
            batch = send_to_device(batch, self.accelerator.device, non_blocking=True)
            state.loss_sum += self.train_step(batch, share)
            state.progress.batches += 1
            if self.accelerator.sync_gradients:
                self.close_step()

    def close_step(self) -> None:
        """What follows a step: schedule, average, position; now and then a report, a checkpoint."""
        state, step = self.state, self.state.progress.step + 1
        if not self.accelerator.optimizer_step_was_skipped:
            state.schedule.step()
        if state.average:
            state.average.update()
        state.progress.step = step
        state.progress.offset = self.parts.plan.advance(state.progress.offset)
        self.display.step()
        reports = step % self.config.log_every == 0
        if reports:
            self.report()
        if self.config.checkpoint_every and step % self.config.checkpoint_every == 0:
            self.save()
        self.answer_stop()

    def close_epoch(self) -> None:
        """Evaluate, judge, record, save."""
        state, figures = self.state, self.figures()
        progress = state.progress
        record: dict[str, float] = {
            "epoch": progress.epoch + 1,
            "step": progress.step,
            "lr": self.learning_rate(),
            "train_loss": self.mean_loss(),
        }
        if self.judged:
            trained = self.tick()
            record |= self.judge_epoch(self.judged)
            progress.judging += self.tick() - trained
        record |= {"seconds": self.tick(), "train_seconds": progress.seconds - progress.judging}
        record |= figures.values
        took = progress.seconds - progress.seconds_before
        progress.seconds_before = progress.seconds
        progress.next_epoch()
        state.loss_sum.zero_()
        state.records.append(record)
        if self.accelerator.is_main_process:
            self.folder.append(record)
        self.track(record, progress.step)
        self.display.epoch({**record, "seconds": took}, figures.summary)
        for warning in figures.warnings:
            self.display.say(f"warning: {warning}")
        self.save()

    def judge_epoch(self, split: str) -> dict[str, float]:
        """Metrics of a part, as `split_metric`; a run that selects remembers the best weights."""
        state, main = self.state, self.plain.head.main_metric
        pictured = Pictured(self.config.pictures if self.accelerator.trackers else 0)
        with state.averaged():
            metrics = self.evaluate(split, pictured)
            best = state.progress.judge(metrics, main, self.measure)
            if best and self.config.selection != "last":
                state.best = state.trained()
        tell(self.accelerator, self.host.evaluated, self.plain, split, metrics, self.run)
        tell(self.accelerator, self.show, split, pictured)
        return {f"{split}_{name}": value for name, value in metrics.items()}

    def evaluate(self, split: str, seen: Seen = lambda output, targets: None) -> dict[str, float]:
        """Metrics of a part with the weights as they are."""
        judge = self.parts.evaluations[split]
        return judge(self.state.model, self.plain, self.answer_stop, seen)

    def show(self, split: str, pictured: Pictured) -> None:
        """Give trackers that take pictures a few inputs of a part, with what is said of them; what
        fails over them is said, and ends nothing."""
        part, world = self.parts.evaluations[split].dataset, self.accelerator.num_processes
        part = part.plain if isinstance(part, KeptItems) else part
        try:
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                strips = pictured.strips(self.plain, part, world, self.host)
        except OnlayError as error:
            self.display.say(f"warning: there are no pictures of this epoch: {error}")
            return
        for tracker in self.accelerator.trackers:
            for number, strip in enumerate(strips):
                tracker.log_images({f"{split}/{number}": strip[None]}, self.state.progress.step)

    def require_gradients(self) -> None:
        """Has every trained tensor a gradient? Asked once, before DDP would wait for it."""
        self.checked = True
        idle = [name for name, p in self.state.parameters.items() if p.grad is None]
        if idle:
            more = f" and {len(idle) - 1} more" if len(idle) > 1 else ""
            raise RunError(
                f"`{idle[0]}`{more} should train but the loss gives no gradient:"
                " method, pooling or head never use it"
            )

    def mean_loss(self) -> float:
        """The mean training loss of the epoch so far, over all processes.

        Raises:
            DivergedError: it is not finite.
        """
        progress = self.state.progress
        mean = self.state.loss_sum / max(1, progress.batches)
        loss = float(self.accelerator.reduce(mean, "mean"))
        if not math.isfinite(loss):
            saved = self.folder.checkpoint
            kept = f"`{saved}` is kept as it was" if saved.exists() else "nothing was saved yet"
            raise DivergedError(
                f"the loss is {loss} in epoch {progress.epoch + 1}, at step {progress.step}:"
                f" lower `train.lr` or set `train.clip_grad`; {kept}"
            )
        return loss

    def learning_rate(self) -> float:
        """That of `train.lr` at the next step; groups with rates of their own move as it does."""
        return self.state.rates.at(self.state.schedule.last_epoch)

    def report(self) -> None:
        """Tell display, trackers and plugins how it goes.

        The method's figures are of this process's share of the batches; trackers and files have
        those of the main process.
        """
        step, figures = self.state.progress.step, self.figures().values
        metrics = {"loss": self.mean_loss(), "lr": self.learning_rate()}
        self.display.loss(metrics["loss"])
        own = {f"train/{name}": value for name, value in metrics.items()}
        self.track({**own, **figures}, step)
        told = {**metrics, **figures}
        tell(self.accelerator, self.host.step_finished, self.plain, step, told, self.run)

    def figures(self) -> Figures:
        """What the method's modules tell; where one fails in one process, all of them stop."""
        found: list[Figures] = []
        tell(self.accelerator, self._ask, found)
        return found[0]

    def _ask(self, found: list[Figures]) -> None:
        found.append(self.plain.figures())

    def track(self, values: Mapping[str, float], step: int | None) -> None:
        """Give values to the trackers, of a step or of the run as a whole."""
        tell(self.accelerator, self.accelerator.log, values, step)

    def save(self) -> None:
        """Write the checkpoint, also when a plugin fails over it; all processes take part."""
        self.tick()
        precise = {"precision": self.accelerator.mixed_precision}
        tell(self.accelerator, self._write, self.state.dump() | self.parts.facts() | precise)

    def _write(self, content: dict[str, Any]) -> None:
        if self.accelerator.is_main_process:
            growing = Growing(content)
            try:
                self.host.checkpoint_saving(growing, self.folder.checkpoint, self.run)
            finally:
                save_checkpoint(growing.data, self.folder.checkpoint, former=self.folder.former)

    def resume(self, display: Display) -> bool:
        """Take up the folder's checkpoint, if there is one; the one before it where a kill or
        damage left no other.

        Raises:
            RunError: it was written with other data, in another precision, or with steps that see
                more or less.
        """
        path, former = self.folder.checkpoint, self.folder.former
        if not path.exists() and not former.exists():
            return False
        try:
            content = load_checkpoint(path)
        except Damaged as error:
            if not former.exists():
                raise
            content = load_checkpoint(former)
            display.say(f"{error.what}; the one before it is taken")
            self.accelerator.wait_for_everyone()  # all have looked for the damaged one
            if self.accelerator.is_main_process:
                replace(former, path)
        if "data" in content:
            self.parts.require_same(content["data"])
        self.state.load(content)
        if not self.finished:
            require_same_pace(self.parts.plan, content)
            require_same_precision(self.accelerator.mixed_precision, content)
        self.state.rates.total = self.state.progress.step + self.steps_left()
        self.host.checkpoint_loaded(content, path, self.run)
        return True

    def steps_left(self) -> int:
        """To the last epoch's end."""
        progress, plan = self.state.progress, self.parts.plan
        after = self.config.epochs - progress.epoch - 1
        return plan.steps(progress.offset) + after * plan.steps() if after >= 0 else 0

    def answer_stop(self) -> None:
        """Raise `Stopped` if a signal came; several processes agree on the step after that."""
        number = self.stop.number
        if self.agreement:
            number = self.agreement.heard(number)
        if number:
            raise Stopped(number)

    def tick(self) -> float:
        """Seconds that the run has trained, over all its starts."""
        now = time.perf_counter()
        self.state.progress.seconds += now - self.clock
        self.clock = now
        return self.state.progress.seconds
