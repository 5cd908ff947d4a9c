"""What a run shows: a bar on a terminal, a line per epoch elsewhere, nothing on other processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from onlay.reports import LOSS, PERCENT, Measure
from onlay_train.report import say


class Display:
    """Shows nothing; the base of what shows something."""

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def start(self, epoch: int, step: int) -> None:
        """Epoch `epoch` (from 0) goes on after step `step`."""

    def step(self) -> None:
        """An optimizer step is done."""

    def loss(self, loss: float) -> None:
        """The mean training loss of the epoch so far."""

    def epoch(self, record: Mapping[str, float], summary: str = "") -> None:
        """An epoch is done; `seconds` are its own, `summary` is what the method says of it."""

    def say(self, text: str) -> None:
        """A line of its own."""


class Lines(Display):
    """One plain line for each epoch."""

    def __init__(
        self, console: Console, epochs: int, metric: str, measure: Measure = PERCENT
    ) -> None:
        self.console, self.epochs, self.metric, self.measure = console, epochs, metric, measure

    def epoch(self, record: Mapping[str, float], summary: str = "") -> None:
        width = len(str(self.epochs))
        parts = [f"epoch {record['epoch']:>{width}.0f}/{self.epochs}"]
        parts += [f"loss {record['train_loss']:.4f}", *judged(record, self.metric, self.measure)]
        parts += [f"lr {record['lr']:.2e}", f"{record['seconds']:.1f} s"]
        self.say("  ".join([*parts, summary] if summary else parts))

    def say(self, text: str) -> None:
        say(text, self.console)


class Noted(Progress):
    """Progress with a note below; a column of it would leave no room for the bar."""

    note = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.note:
            yield Text(self.note, no_wrap=False, overflow="fold")  # also beside a soft-wrapped line


class Bar(Display):
    """A progress bar over all steps of the run, with loss and metric; what the method says of the
    latest epoch is below."""

    def __init__(
        self,
        console: Console,
        epochs: int,
        steps_per_epoch: int,
        metric: str,
        measure: Measure = PERCENT,
    ) -> None:
        self.epochs, self.metric, self.measure = epochs, metric, measure
        self.progress = Noted(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}{task.fields[facts]}", markup=False),
            TimeRemainingColumn(),
            console=console,
        )
        self.task = self.progress.add_task("", total=epochs * steps_per_epoch, loss="", facts="")

    def __enter__(self) -> Bar:
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def start(self, epoch: int, step: int) -> None:
        text = f"epoch {epoch + 1}/{self.epochs}"
        self.progress.update(self.task, description=text, completed=step)

    def step(self) -> None:
        self.progress.advance(self.task)

    def loss(self, loss: float) -> None:
        self.progress.update(self.task, loss=f"loss {loss:.3f}")

    def epoch(self, record: Mapping[str, float], summary: str = "") -> None:
        self.progress.note = summary
        facts = "".join(f"  {fact}" for fact in judged(record, self.metric, self.measure))
        self.progress.update(self.task, loss=f"loss {record['train_loss']:.3f}", facts=facts)

    def say(self, text: str) -> None:
        say(text, self.progress.console)


def make_display(
    console: Console,
    *,
    epochs: int,
    steps_per_epoch: int,
    metric: str,
    measure: Measure = PERCENT,
    main: bool = True,
) -> Display:
    """The display that fits the console and the process."""
    if not main:
        return Display()
    if console.is_terminal:
        return Bar(console, epochs, steps_per_epoch, metric, measure)
    return Lines(console, epochs, metric, measure)


def judged(record: Mapping[str, float], metric: str, measure: Measure) -> list[str]:
    """Loss and metric of the parts that were evaluated: `validation loss 0.41`, `top1 88.20 %`."""
    found = []
    for split in ("validation", "test"):
        if f"{split}_{metric}" in record:
            loss = record.get(f"{split}_loss")  # a task need not have one of its outputs alone
            shown = f"{metric} {measure.text(record[f'{split}_{metric}'])}"
            lost = "" if loss is None else f"loss {LOSS.text(loss)}  "
            found.append(f"{split} {lost}{shown}")
    return found
