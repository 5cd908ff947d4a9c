"""What a run leaves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rich.console import Console
from told import Configure

from onlay.config.run import RunConfig
from onlay.host import PluginHost
from onlay_train.checkpoint import load_checkpoint
from onlay_train.evaluate_run import evaluate_run
from onlay_train.folder import RunFolder
from onlay_train.run import train


def test_a_run_leaves_its_files(
    configure: Configure, host: PluginHost, quiet: Console, drawn: None
) -> None:
    config = configure("train.trackers=tensorboard")
    summary = train(config, host, console=quiet)
    assert {file.name for file in config.out.iterdir()} == {
        "bundle",
        "config.yaml",
        "curves.png",
        "last.pt",
        "metrics.jsonl",
        "run.json",
        "summary.json",
        "tensorboard",
    }
    assert (config.out / "curves.png").read_bytes().startswith(b"\x89PNG")
    history = RunFolder(config.out).history()
    assert [record["epoch"] for record in history] == [1, 2, 3]
    assert [record["step"] for record in history] == [8, 16, 24]  # 30 samples, batches of 4
    assert summary.parameters == {"method": 164, "head": 68, "other": 0, "backbone": 5280}
    assert summary.share == pytest.approx(100 * 232 / 5280)
    assert set(summary.metrics) == {
        f"{split}_{name}"
        for split in ("validation", "test")
        for name in ("loss", "top1", "mean_class")
    }
    assert summary.bundle_bytes == sum(f.stat().st_size for f in (config.out / "bundle").iterdir())


def test_tensorboard_has_the_curves(configure: Configure, host: PluginHost, quiet: Console) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = configure("train.trackers=tensorboard", "train.log_every=6")
    train(config, host, console=quiet)
    events = EventAccumulator(str(config.out / "tensorboard")).Reload()
    history = RunFolder(config.out).history()
    losses = [(e.step, e.value) for e in events.Scalars("validation_loss")]
    assert losses == [(r["step"], pytest.approx(r["validation_loss"])) for r in history]
    assert [e.step for e in events.Scalars("train/loss")] == [6, 12, 18, 24]


def test_a_checkpoint_holds_no_backbone(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    config = configure()
    train(config, host, console=quiet)
    saved = load_checkpoint(config.out / "last.pt")
    assert sum(t.numel() for t in saved["trained"].values()) == 232
    moments = [t for slots in saved["optimizer"]["state"].values() for t in slots.values()]
    assert sum(t.numel() for t in moments if t.ndim) == 2 * 232


def test_training_learns_and_eval_repeats_the_figure(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    config = configure("data.train=200", "train.epochs=10", "train.lr=0.03", "data.held_out=60")
    summary = train(config, host, console=quiet)
    assert summary.metrics["test_top1"] > 0.6  # four classes
    found = evaluate_run(config.out, host)
    metrics = found.metrics
    assert (found.samples, found.what, found.notes) == (60, "test part", ())
    assert metrics["top1"] == pytest.approx(summary.metrics["test_top1"])
    assert metrics["loss"] == pytest.approx(summary.metrics["test_loss"], abs=1e-5)


WEIGHTED = ("task.class_weights=[1, 0, 3, 4]", "method.dropout=0", "data.train=24")


def test_class_weights_do_not_depend_on_accumulation_or_on_the_batches_of_evaluation(
    configure: Callable[..., RunConfig], host: PluginHost, quiet: Console
) -> None:
    """Steps of 8 samples, in one batch, in two, and in eight of one each."""
    runs = [
        configure(
            *WEIGHTED, "train.epochs=2", f"train.batch_size={8 // n}",
            f"train.grad_accum_steps={n}", f"train.eval_batch_size={size}", out=f"of{n}",
        )
        for n, size in ((1, 64), (2, 3), (8, 1))
    ]  # fmt: skip
    for run in runs:
        train(run, host, console=quiet)
    whole, *others = [RunFolder(run.out).history() for run in runs]
    for other in others:
        for one, two in zip(whole, other, strict=True):
            for name in ("train_loss", "validation_loss"):
                assert one[name] == pytest.approx(two[name], rel=1e-4)
