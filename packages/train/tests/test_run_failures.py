"""Plugins, losses and disks that fail in a run."""

from __future__ import annotations

import errno
from typing import Any

import pytest
import torch
from rich.console import Console
from told import Configure, Told

import onlay
from onlay.errors import DataError, PluginError, RunError
from onlay.host import PluginHost
from onlay_train.checkpoint import load_checkpoint
from onlay_train.folder import RunFolder
from onlay_train.run import train


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
