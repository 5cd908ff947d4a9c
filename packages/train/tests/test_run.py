"""What a run leaves, chooses and refuses."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

import onlay
from onlay.config.run import RunConfig
from onlay.errors import BundleError, ConfigError, DataError, PluginError, RunError
from onlay.hooks import Run
from onlay.host import PluginHost
from onlay_train.checkpoint import load_checkpoint
from onlay_train.evaluate_run import evaluate_run
from onlay_train.folder import RunFolder
from onlay_train.run import train

Configure = Callable[..., RunConfig]


class Told:
    """Writes down what the host tells, and fails where it is asked to."""

    def __init__(self, fails_in: str = "") -> None:
        self.fails_in = fails_in
        self.heard: list[tuple[Any, ...]] = []

    def _hear(self, name: str, *facts: Any) -> None:
        self.heard.append((name, *facts))
        if name == self.fails_in:
            raise ValueError("misbehaving")

    @onlay.hookimpl
    def step_finished(self, step: int, metrics: Mapping[str, float]) -> None:
        self._hear("step_finished", step, sorted(metrics))

    @onlay.hookimpl
    def evaluated(self, split: str, metrics: Mapping[str, float]) -> None:
        self._hear("evaluated", split, metrics["top1"])

    @onlay.hookimpl
    def checkpoint_saving(self, state: dict[str, Any], path: Path) -> None:
        state["told"] = {"steps": state["progress"]["step"]}
        self._hear("checkpoint_saving", path.name)

    @onlay.hookimpl
    def checkpoint_loaded(self, state: dict[str, Any], path: Path) -> None:
        self._hear("checkpoint_loaded", state["told"])

    @onlay.hookimpl
    def run_finished(self, folder: Path, summary: Mapping[str, Any]) -> None:
        self._hear("run_finished", (folder / "bundle").exists(), summary["epochs"])


def test_a_run_leaves_its_files(configure: Configure, host: PluginHost, quiet: Console) -> None:
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


def test_the_test_part_is_read_once_and_at_the_end(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    told = Told()
    host.add(told, name="told")
    train(configure(), host, console=quiet)
    splits = [fact[1] for fact in told.heard if fact[0] == "evaluated"]
    assert splits == ["validation"] * 3 + ["test"]
    assert told.heard[-1] == ("run_finished", True, 3)


@pytest.mark.parametrize(
    ("selection", "split"), [("best_val", "validation"), ("best_test_as_published", "test")]
)
def test_the_best_epoch_is_kept(
    configure: Configure, host: PluginHost, quiet: Console, selection: str, split: str
) -> None:
    config = configure(f"train.selection={selection}", "train.epochs=6", "train.lr=0.1")
    summary = train(config, host, console=quiet)
    scores = [record[f"{split}_top1"] for record in RunFolder(config.out).history()]
    assert summary.chosen_epoch == scores.index(max(scores)) + 1
    assert summary.metrics[f"{split}_top1"] == max(scores)
    name = "validation" if split == "validation" else "test"
    metrics = evaluate_run(config.out, host, split=name).metrics
    assert metrics["top1"] == pytest.approx(max(scores))


def test_the_average_is_what_is_saved(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    config = configure("train.model_ema_decay=0.9")
    train(config, host, console=quiet)
    saved = load_checkpoint(config.out / "last.pt")
    model = onlay.load(config.out, host=host)
    for name, tensor in model.trained_state().items():
        assert torch.equal(tensor, saved["average"][name])
        assert not torch.equal(tensor, saved["trained"][name])


def test_half_precision_and_recomputation_leave_a_whole_bundle(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    config = configure("train.precision=bf16", "train.grad_checkpointing=true")
    summary = train(config, host, console=quiet)
    tensors = onlay.load(config.out, host=host).trained_state()
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    metrics = evaluate_run(config.out, host).metrics
    assert metrics["loss"] == pytest.approx(summary.metrics["test_loss"], rel=0.02)


def test_early_stopping_waits_for_its_patience(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    # a learning rate of next to nothing: no epoch is better than the first
    config = configure("train.early_stopping=2", "train.epochs=9", "train.lr=1e-12")
    summary = train(config, host, console=quiet)
    assert (summary.epochs, summary.chosen_epoch) == (3, 3)


@pytest.mark.parametrize("wish", ["train.selection=best_val", "train.early_stopping=2"])
def test_selection_without_a_validation_part_is_refused(
    configure: Configure, host: PluginHost, quiet: Console, wish: str
) -> None:
    with pytest.raises(ConfigError, match="needs a validation part, and the data has none"):
        train(configure("data.held_out=0", wish), host, console=quiet)


def test_a_run_without_held_out_parts_ends_too(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    summary = train(configure("data.held_out=0"), host, console=quiet)
    assert summary.metrics == {}
    assert summary.score is None


@pytest.mark.parametrize("hook", ["step_finished", "evaluated", "checkpoint_saving"])
def test_a_misbehaving_plugin_stops_the_run_and_loses_nothing(
    configure: Configure, host: PluginHost, quiet: Console, hook: str
) -> None:
    undisturbed, stopped = configure(out="a"), configure("train.log_every=3", out="b")
    train(undisturbed, host, console=quiet)
    told = Told(fails_in=hook)
    host.add(told, name="told")
    with pytest.raises(PluginError, match=rf"plugin `told.*` failed in `{hook}`: ValueError"):
        train(stopped, host, console=quiet)
    saved = load_checkpoint(stopped.out / "last.pt")["progress"]["step"]
    assert saved == (3 if hook == "step_finished" else 8)
    told.fails_in = ""
    train(stopped, host, console=quiet)
    scores = [
        [record["validation_loss"] for record in RunFolder(config.out).history()]
        for config in (undisturbed, stopped)
    ]
    assert scores[0] == scores[1]


def test_a_plugin_that_fails_at_the_end_has_lost_nothing(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    told, config = Told(fails_in="run_finished"), configure("train.epochs=1")
    host.add(told, name="told")
    with pytest.raises(PluginError, match=r"plugin `told.*` failed in `run_finished`: ValueError"):
        train(config, host, console=quiet)
    assert onlay.load(config.out, host=host).method.name == "noisy"
    assert train(config, host, console=quiet).epochs == 1, "the run is finished all the same"


def test_a_plugin_that_cannot_read_a_checkpoint_leaves_it_as_it_was(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    told, config = Told(fails_in="evaluated"), configure()
    host.add(told, name="told")
    with pytest.raises(PluginError, match="evaluated"):
        train(config, host, console=quiet)
    before = (config.out / "last.pt").read_bytes()
    told.fails_in = "checkpoint_loaded"
    with pytest.raises(PluginError, match=r"plugin `told.*` failed in `checkpoint_loaded`"):
        train(config, host, console=quiet)
    assert (config.out / "last.pt").read_bytes() == before
    told.fails_in = ""
    assert train(config, host, console=quiet).epochs == 3


def test_a_plugin_that_leaves_the_program_is_named(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    class Leaves:
        @onlay.hookimpl
        def step_finished(self) -> None:
            raise SystemExit(3)

    host.add(Leaves(), name="leaves")
    with pytest.raises(PluginError, match=r"plugin `leaves` failed in `step_finished`: SystemExit"):
        train(configure("train.log_every=1"), host, console=quiet)


def test_a_loss_that_is_not_finite_keeps_the_checkpoint(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    class Poison:
        @onlay.hookimpl
        def step_finished(self, model: Any, step: int) -> None:
            if step == 10:
                model.head.fc.bias.data.fill_(torch.nan)

    host.add(Poison(), name="poison")
    config = configure("train.log_every=1")
    message = r"the loss is nan in epoch 2, at step 11: .*last.pt` is kept as it was"
    with pytest.raises(RunError, match=message):
        train(config, host, console=quiet)
    saved = load_checkpoint(config.out / "last.pt")
    assert saved["progress"]["step"] == 8
    assert all(torch.isfinite(tensor).all() for tensor in saved["trained"].values())


def no_space(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_one_sentence(
    configure: Configure, host: PluginHost, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure()
    monkeypatch.setattr("onlay.machine.disk.os.fsync", no_space)
    with pytest.raises(RunError, match=r"config.yaml` cannot be written: the disk is full"):
        train(config, host, console=quiet)
    assert not config.out.exists(), "nothing came to lie in it"


def test_an_output_that_is_full_is_not_taken_for_the_folder(
    configure: Configure, host: PluginHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Console()
    monkeypatch.setattr(full, "print", lambda *_, **__: no_space(0))
    with pytest.raises(RunError, match=r"^the output cannot be written: the disk is full; what "):
        train(configure(), host, console=full)


def test_a_tensor_without_gradient_is_named(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    from onlay.model.assemble import assemble
    from onlay_train.engine import make_accelerator
    from onlay_train.loop import Trainer

    config = configure()
    model, splits = assemble(config, host)
    model.head.register_parameter("idle", torch.nn.Parameter(torch.zeros(3)))
    folder = RunFolder(config.out)
    accelerator = make_accelerator(config.train)
    given = {"accelerator": accelerator, "folder": folder, "run": folder.run(config)}
    trainer = Trainer(model, splits, config.train, host=host, **given)
    with pytest.raises(RunError, match=r"^`head.idle` should train but the loss gives no gradient"):
        trainer.train_epoch()


def test_too_few_samples_for_a_step(configure: Configure, host: PluginHost, quiet: Console) -> None:
    config = configure("data.train=3", "train.grad_accum_steps=4")
    with pytest.raises(DataError, match="has 3 samples, too few for the 4 batches of one step"):
        train(config, host, console=quiet)


@pytest.mark.parametrize("name", ["bundle", "curves.png"])
def test_what_is_in_the_way_of_the_end_is_found_before_training(
    configure: Configure, host: PluginHost, quiet: Console, name: str
) -> None:
    config = configure()
    config.out.mkdir()
    RunFolder(config.out).open(Run(folder=config.out, id="0", config=config))
    (config.out / name / "others").mkdir(parents=True)
    with pytest.raises((RunError, BundleError), match=rf"{name}` (holds other|is no plain file)"):
        train(config, host, console=quiet)
    assert not (config.out / "last.pt").exists()


def test_an_empty_configuration_is_not_taken_for_another_run(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    config = configure()
    config.out.mkdir()
    (config.out / "config.yaml").write_text("")
    with pytest.raises(RunError, match=r"config.yaml` is empty, and does not tell whose run this"):
        train(config, host, console=quiet)


def test_another_runs_folder_is_refused_by_the_keys_that_differ(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    train(configure("train.epochs=1"), host, console=quiet)
    with pytest.raises(RunError) as caught:
        train(configure("train.lr=0.5", "method.rank=4"), host, console=quiet)
    text = str(caught.value)
    assert "already holds another run (`method.rank` is 2 there and 4 here" in text
    assert "`train.epochs` is 1 there and 3 here, `train.lr` is 0.01 there and 0.5 here)" in text


def test_keys_that_change_no_weight_may_change(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    train(configure("train.epochs=1"), host, console=quiet)
    again = train(configure("train.epochs=1", "train.log_every=2"), host, console=quiet)
    assert again.epochs == 1


def test_a_finished_run_is_not_trained_again(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    config = configure("train.epochs=1")
    first = train(config, host, console=quiet)
    written = (config.out / "last.pt").stat().st_mtime_ns
    assert train(config, host, console=quiet) == first
    assert (config.out / "last.pt").stat().st_mtime_ns == written


def test_files_of_others_are_left_alone(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    config = configure()
    config.out.mkdir()
    (config.out / "thesis.tex").write_text("precious")
    with pytest.raises(RunError, match="holds files that are no run: choose another folder"):
        train(config, host, console=quiet)
    assert [file.name for file in config.out.iterdir()] == ["thesis.tex"]


def test_a_tracker_that_is_not_installed(
    configure: Configure, host: PluginHost, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate import tracking

    monkeypatch.setattr(tracking, "_available_trackers", [])
    with pytest.raises(ConfigError, match="`comet_ml` is not installed: `pip install comet"):
        train(configure("train.trackers=comet_ml"), host, console=quiet)


def test_summary_is_plain_json(configure: Configure, host: PluginHost, quiet: Console) -> None:
    config = configure("train.epochs=1")
    summary = train(config, host, console=quiet)
    assert json.loads((config.out / "summary.json").read_text()).items() > summary.dump().items()


@pytest.mark.parametrize("damage", [("0.", "1."), ('"seed"', '"sead"'), ("{", "["), ('"', "")])
def test_a_summary_that_was_changed_is_not_told_again(
    configure: Configure, host: PluginHost, quiet: Console, damage: tuple[str, str]
) -> None:
    config = configure("train.epochs=1")
    train(config, host, console=quiet)
    path = config.out / "summary.json"
    path.write_text(path.read_text().replace(*damage, 1))
    with pytest.raises(RunError, match=r"summary.json` is damaged: delete it, and the same"):
        train(config, host, console=quiet)


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
