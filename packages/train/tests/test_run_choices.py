"""Which epoch is kept, and what is looked at for it."""

from __future__ import annotations

import signal
from io import StringIO

import pytest
import torch
from rich.console import Console
from told import Configure, Told

import onlay
from onlay.errors import ConfigError
from onlay.host import PluginHost
from onlay_train.checkpoint import load_checkpoint
from onlay_train.evaluate_run import evaluate_run
from onlay_train.folder import RunFolder
from onlay_train.report import rows
from onlay_train.run import train
from onlay_train.signals import Stopped


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


def test_early_stopping_waits_for_its_patience_and_says_so(
    configure: Configure, host: PluginHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a learning rate of next to nothing: no epoch is better than the first
    early = ("train.early_stopping=2", "train.epochs=9", "train.lr=1e-12")
    undisturbed, killed = configure(*early, out="a"), configure(*early, out="b")
    shown = Console(file=StringIO(), width=200)
    summary = train(undisturbed, host, console=shown)
    assert (summary.epochs, summary.chosen_epoch, summary.stopped_early) == (3, 3, 2)
    told = shown.file.getvalue()
    assert "stopped after epoch 3 of 9: no `top1` was better than that of epoch 1" in told
    assert "the last epoch's weights, not its (`train.selection: best_val`), are kept" in told
    assert rows(summary)["stopped early"] == "after 2 epochs without a better top1"

    monkeypatch.setenv("STRIPES_KILL_AT", "70")  # 30 samples an epoch: in the third
    monkeypatch.setenv("STRIPES_SIGNAL", str(int(signal.SIGTERM)))
    with pytest.raises(Stopped):
        train(killed, host, console=shown)
    monkeypatch.delenv("STRIPES_KILL_AT")
    assert train(killed, host, console=shown).stopped_early == 2
    bundles = [run.out / "bundle" / "adapter_model.safetensors" for run in (undisturbed, killed)]
    assert bundles[0].read_bytes() == bundles[1].read_bytes()


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
