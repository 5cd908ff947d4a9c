"""What a method tells of its training reaches the files, the trackers, the plugins and people.

30 samples in batches of 4: an epoch has 8 steps, the last one of 2 samples.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import onlay
from onlay.config.run import RunConfig
from onlay.errors import PluginError
from onlay.figures import Figures
from onlay.host import PluginHost
from onlay.model.adapted import AdaptedModel
from onlay_train.display import Bar
from onlay_train.folder import RunFolder
from onlay_train.run import train

Configure = Callable[..., RunConfig]


class Heard:
    """Keeps the metrics of `step_finished`, and fails at a step."""

    def __init__(self, fails_at: int = 0) -> None:
        self.metrics: dict[int, Mapping[str, float]] = {}
        self.fails_at = fails_at

    @onlay.hookimpl
    def step_finished(self, step: int, metrics: Mapping[str, float]) -> None:
        self.metrics[step] = metrics
        if step == self.fails_at:
            raise ValueError("misbehaving")


def printed(config: RunConfig, host: PluginHost) -> list[str]:
    """The lines that a run prints for its epochs, and what stands between them."""
    text = StringIO()
    train(config, host, console=Console(file=text, width=200))
    lines = text.getvalue().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("epoch"))
    return lines[first:]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    return {
        tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


def test_an_epochs_record_has_the_figures_of_that_epoch(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    config = configure("method=counting")
    train(config, host, console=quiet)
    history = RunFolder(config.out).history()
    assert len(history) == 3
    for record in history:
        assert record["counting/samples/block_0"] == 30  # neither evaluation nor earlier epochs
        assert record["counting/batch/block_1"] == 30 / 8
        assert record["train_loss"] > 0


def test_reports_and_epochs_reach_tensorboard_and_plugins(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    heard = Heard()
    host.add(heard, name="heard")
    config = configure("method=counting", "train.trackers=tensorboard", "train.log_every=3")
    train(config, host, console=quiet)
    so_far = {3: 12, 6: 24, 9: 4, 12: 16, 15: 28, 18: 8, 21: 20, 24: 30}
    told = {step: metrics["counting/samples/block_1"] for step, metrics in heard.metrics.items()}
    assert told == so_far
    assert set(heard.metrics[3]) == {"loss", "lr"} | {
        f"counting/{name}/block_{index}" for name in ("samples", "batch") for index in (0, 1)
    }
    found = scalars(config.out)
    epochs = [(8, 30), (16, 30), (24, 30)]
    assert sorted(found["counting/samples/block_1"]) == sorted([*so_far.items(), *epochs])
    assert (9, 4.0) in found["counting/batch/block_0"]
    assert (24, 3.75) in found["counting/batch/block_0"]


def test_the_line_of_an_epoch_ends_with_the_summary_and_warnings_follow(
    configure: Configure, host: PluginHost
) -> None:
    lines = printed(configure("method=counting", "method.wanted=31", "train.epochs=2"), host)
    assert [re.sub(r"  loss .* s  ", " ... ", line) for line in lines[:6]] == [
        "epoch 1/2 ... block 0 [samples] 30  block 1 [samples] 30",
        "warning: block 0 saw 30 of [wanted] 31 samples",
        "warning: block 1 saw 30 of [wanted] 31 samples",
        "epoch 2/2 ... block 0 [samples] 30  block 1 [samples] 30",
        "warning: block 0 saw 30 of [wanted] 31 samples",
        "warning: block 1 saw 30 of [wanted] 31 samples",
    ]


def test_a_method_without_figures_changes_nothing(configure: Configure, host: PluginHost) -> None:
    config = configure("train.trackers=tensorboard", "train.log_every=3")
    lines = printed(config, host)
    number = r"\d+\.\d+"
    shown = rf"  loss {number}  validation loss {number}  top1 {number} %  lr {number}e[-+]\d\d  "
    for epoch, line in enumerate(lines[:3], start=1):
        assert re.fullmatch(rf"epoch {epoch}/3{shown}{number} s", line)
    plain = {"epoch", "step", "lr", "train_loss", "seconds", "train_seconds"}
    plain |= {f"validation_{name}" for name in ("loss", "top1", "mean_class")}
    assert all(set(record) == plain for record in RunFolder(config.out).history())
    final = {f"final/{split}_{n}" for split in ("validation", "test") for n in ("loss", "top1")}
    final |= {f"final/{split}_mean_class" for split in ("validation", "test")}
    assert set(scalars(config.out)) == plain | final | {"train/loss", "train/lr"}


def test_figures_cost_no_step_anything(
    configure: Configure, host: PluginHost, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, figures = [], AdaptedModel.figures

    def counted(model: AdaptedModel) -> Figures:
        asked.append(model.training)
        return figures(model)

    monkeypatch.setattr(AdaptedModel, "figures", counted)
    train(configure("method=counting", "train.log_every=10"), host, console=quiet)
    assert asked == [True] * 5  # after steps 10 and 20, and before each of 3 evaluations


def test_a_run_that_goes_on_tells_of_what_it_saw_since(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    heard = Heard(fails_at=11)  # 12 samples into the second epoch
    host.add(heard, name="heard")
    config = configure("method=counting", "train.log_every=11")
    with pytest.raises(PluginError):
        train(config, host, console=quiet)
    heard.fails_at = 0
    train(config, host, console=quiet)
    counts: list[Any] = [r["counting/samples/block_0"] for r in RunFolder(config.out).history()]
    assert counts == [30, 18, 30]
    assert (config.out / "curves.png").exists()


def test_the_bar_keeps_its_place_above_a_long_summary() -> None:
    text = StringIO()
    console = Console(file=text, force_terminal=True, width=80)
    record = {"train_loss": 0.5, "validation_loss": 0.4, "validation_top1": 0.875}
    summary = "experts [used] " + " ".join(f"{share} %" for share in range(40))
    with Bar(console, 3, 5, "top1") as bar:
        bar.start(1, 5)
        bar.progress.refresh()
        before = text.getvalue()
        bar.epoch(record, summary)
        bar.progress.refresh()
        bar.say("warning: [one] expert gets all")  # draws the bar again, below
        after = text.getvalue()[len(before) :].split("warning: [one] expert gets all\n")[1]
    for part in ("epoch 2/3", "5/15", "loss 0.500", "top1 87.50 %", "experts [used] 0 %", "39 %"):
        assert part in after
    assert "experts" not in before
