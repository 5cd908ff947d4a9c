"""Whatever interrupts a run, the same command ends in bitwise the same weights."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from forks import at_once
from rich.console import Console
from safetensors.torch import load_file

from onlay.config.files import read, write
from onlay.config.run import RunConfig
from onlay.errors import RunError
from onlay.host import PluginHost
from onlay.model.adapted import AdaptedModel
from onlay.model.assemble import assemble
from onlay_train.checkpoint import load_checkpoint
from onlay_train.run import train
from onlay_train.signals import Stopped

Configure = Callable[..., RunConfig]

HARD = (
    "train.grad_accum_steps=2",
    "train.model_ema_decay=0.9",
    "train.selection=best_val",
    "train.batch_size=3",
    "task.head_norm=batch",
)


def weights(config: RunConfig) -> dict[str, bytes]:
    tensors = load_file(config.out / "bundle" / "adapter_model.safetensors")
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def records(config: RunConfig) -> list[dict[str, Any]]:
    lines = (config.out / "metrics.jsonl").read_text().splitlines()
    found = map(json.loads, lines)
    return [{k: v for k, v in each.items() if not k.endswith("seconds")} for each in found]


@pytest.mark.parametrize("changes", [(), HARD], ids=["plain", "hard"])
def test_a_stopped_run_ends_like_an_undisturbed_one(
    configure: Configure,
    host: PluginHost,
    quiet: Console,
    monkeypatch: pytest.MonkeyPatch,
    changes: tuple[str, ...],
) -> None:
    undisturbed = configure(*changes, out="a")
    train(undisturbed, host, console=quiet)
    for kill_at in (1, 20, 30, 31, 55):  # 30 samples an epoch
        stopped = configure(*changes, out=f"stopped at {kill_at}")
        monkeypatch.setenv("STRIPES_KILL_AT", str(kill_at))
        monkeypatch.setenv("STRIPES_SIGNAL", str(int(signal.SIGTERM)))
        with pytest.raises(Stopped):
            train(stopped, host, console=quiet)
        assert not (stopped.out / "bundle").exists()
        monkeypatch.delenv("STRIPES_KILL_AT")
        train(stopped, host, console=quiet)
        assert weights(stopped) == weights(undisturbed), kill_at
        assert records(stopped) == records(undisturbed), kill_at


def test_a_run_stopped_at_every_step_of_an_epoch_ends_the_same(
    configure: Configure, host: PluginHost, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, stopped = configure(out="a"), configure(out="b")
    train(undisturbed, host, console=quiet)
    monkeypatch.setenv("STRIPES_KILL_AT", "1")
    monkeypatch.setenv("STRIPES_SIGNAL", str(int(signal.SIGINT)))
    steps = []
    for _ in range(8):
        with pytest.raises(Stopped):
            train(stopped, host, console=quiet)
        steps.append(load_checkpoint(stopped.out / "last.pt")["progress"]["step"])
    assert steps == [1, 2, 3, 4, 5, 6, 7, 8]
    monkeypatch.delenv("STRIPES_KILL_AT")
    train(stopped, host, console=quiet)
    assert weights(stopped) == weights(undisturbed)


def test_a_killed_process_goes_on_bitwise(
    configure: Configure, host: PluginHost, quiet: Console, small_run: list[str]
) -> None:
    undisturbed = configure("train.checkpoint_every=3", out="a")
    train(undisturbed, host, console=quiet)
    # in the second epoch, while step 14 reads its batch: one step behind the last checkpoint
    kill = {"STRIPES_KILL_AT": str(30 + 4 * 6), "STRIPES_SIGNAL": str(int(signal.SIGKILL))}
    killed = at_once([*small_run, "train.checkpoint_every=3"], kill)
    assert killed.returncode == -signal.SIGKILL
    run = configure("train.checkpoint_every=3")
    assert load_checkpoint(run.out / "last.pt")["progress"]["step"] == 12
    train(run, host, console=quiet)
    assert weights(run) == weights(undisturbed)
    assert records(run) == records(undisturbed)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_says_how_to_go_on(
    onlay_command: Callable[..., Result], tmp_path: Path, number: signal.Signals, status: int
) -> None:
    kill = {"STRIPES_KILL_AT": "9", "STRIPES_SIGNAL": str(int(number))}
    result = onlay_command("train", env=kill)
    assert result.exit_code == status
    assert f"stopped by {number.name}; the checkpoint is written; to go on: onlay" in result.stderr
    assert load_checkpoint(tmp_path / "run" / "last.pt")["progress"]["step"] == 3
    again = onlay_command("train")
    assert again.exit_code == 0
    assert "resumed in epoch 1/3, at step 3" in again.stdout


def test_records_that_no_checkpoint_followed_are_forgotten(
    configure: Configure, host: PluginHost, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, stopped = configure(out="a"), configure(out="b")
    train(undisturbed, host, console=quiet)
    monkeypatch.setenv("STRIPES_KILL_AT", "33")
    monkeypatch.setenv("STRIPES_SIGNAL", str(int(signal.SIGTERM)))
    with pytest.raises(Stopped):
        train(stopped, host, console=quiet)
    with (stopped.out / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"epoch": 2, "train_loss": -1.0}) + '\n{"epoch": 3, "tr')
    monkeypatch.delenv("STRIPES_KILL_AT")
    train(stopped, host, console=quiet)
    assert records(stopped) == records(undisturbed)


@pytest.mark.parametrize("damage", ["flipped", "missing"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    configure: Configure,
    host: PluginHost,
    quiet: Console,
    monkeypatch: pytest.MonkeyPatch,
    damage: str,
) -> None:
    undisturbed, stopped = configure(out="a"), configure("train.checkpoint_every=2", out="b")
    train(undisturbed, host, console=quiet)
    monkeypatch.setenv("STRIPES_KILL_AT", "55")
    monkeypatch.setenv("STRIPES_SIGNAL", str(int(signal.SIGTERM)))
    with pytest.raises(Stopped):
        train(stopped, host, console=quiet)
    monkeypatch.delenv("STRIPES_KILL_AT")
    last = stopped.out / "last.pt"
    if damage == "flipped":
        broken = bytearray(last.read_bytes())
        broken[1000] ^= 4
        last.write_bytes(broken)
    else:  # a kill between the two renames of a save
        last.unlink()
    (stopped.out / "metrics.jsonl").write_text("not what was written")
    shown = Console(record=True, width=200)
    train(stopped, host, console=shown)
    assert "the one before it is taken\nresumed " in shown.export_text()
    assert weights(stopped) == weights(undisturbed)
    assert records(stopped) == records(undisturbed)
    assert not (stopped.out / "before-last.pt").exists()


def stopped_run(
    configure: Configure, host: PluginHost, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> RunConfig:
    run = configure()
    monkeypatch.setenv("STRIPES_KILL_AT", "33")
    monkeypatch.setenv("STRIPES_SIGNAL", str(int(signal.SIGTERM)))
    with pytest.raises(Stopped):
        train(run, host, console=quiet)
    monkeypatch.delenv("STRIPES_KILL_AT")
    return run


def test_a_precision_from_the_environment_is_kept(
    configure: Configure, host: PluginHost, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    stopped = stopped_run(configure, host, quiet, monkeypatch)
    assert load_checkpoint(stopped.out / "last.pt")["precision"] == "bf16"
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION")
    with pytest.raises(RunError, match="with `ACCELERATE_MIXED_PRECISION=bf16` in the environment"):
        train(stopped, host, console=quiet)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    train(stopped, host, console=quiet)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"digest": "other"}, "as many items, others or in other parts"),
        ({"validation": None}, "30 train, 10 validation, 10 test then, 30 train, 10 test now"),
    ],
)
def test_changed_data_are_refused(
    configure: Configure, host: PluginHost, quiet: Console, monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any], what: str,
) -> None:  # fmt: skip
    run = stopped_run(configure, host, quiet, monkeypatch)
    before = run.out.joinpath("last.pt").read_bytes()

    def changed(*args: Any) -> Any:
        model, splits = assemble(*args)
        return model, replace(splits, **change)

    monkeypatch.setattr("onlay_train.run.assemble", changed)
    with pytest.raises(RunError, match="the data changed since this run began") as error:
        train(run, host, console=quiet)
    assert what in str(error.value)
    assert run.out.joinpath("last.pt").read_bytes() == before
    monkeypatch.undo()
    assert train(run, host, console=quiet).epochs == 3


def test_a_plugin_of_another_version_is_told(
    configure: Configure, host: PluginHost, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stopped_run(configure, host, quiet, monkeypatch)
    told = io.StringIO()
    newer = run.model_copy(update={"plugins": run.plugins | {"onlay": "99.0"}})
    train(newer, host, console=Console(file=told, width=400))
    old = run.plugins["onlay"]
    assert (
        f"warning: `onlay` was {old} when this run was last started and is 99.0" in told.getvalue()
    )


@pytest.mark.parametrize("known", [True, False], ids=["by name", "before names were kept"])
def test_moments_go_to_no_other_tensors(
    configure: Configure, host: PluginHost, quiet: Console, monkeypatch: pytest.MonkeyPatch,
    known: bool,
) -> None:  # fmt: skip
    """A version that spares another tensor from weight decay: one group is longer, the other one
    shorter, by one."""
    run = stopped_run(configure, host, quiet, monkeypatch)
    before = run.out.joinpath("last.pt").read_bytes()
    first = next(iter(assemble(run, host)[0].trained_parameters()))
    with monkeypatch.context() as patched:
        patched.setattr(AdaptedModel, "no_weight_decay", lambda self: {first})
        if not known:
            without = load_checkpoint(run.out / "last.pt")
            del without["groups"]
            patched.setattr("onlay_train.loop.load_checkpoint", lambda path: without)
        with pytest.raises(RunError, match="gives the optimizer its tensors in other groups"):
            train(run, host, console=quiet)
    assert run.out.joinpath("last.pt").read_bytes() == before
    assert train(run, host, console=quiet).epochs == 3


def test_a_run_of_an_earlier_version_goes_on(
    configure: Configure, host: PluginHost, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder knows neither the fields that have come since nor an id."""
    undisturbed, stopped = configure(out="a"), configure(out="b")
    train(undisturbed, host, console=quiet)
    monkeypatch.setenv("STRIPES_KILL_AT", "30")
    monkeypatch.setenv("STRIPES_SIGNAL", str(int(signal.SIGTERM)))
    with pytest.raises(Stopped):
        train(stopped, host, console=quiet)
    monkeypatch.delenv("STRIPES_KILL_AT")
    written = read(stopped.out / "config.yaml")
    for key in ("opt", "opt_kwargs", "sched", "layer_decay", "head_lr", "momentum", "poly_power"):
        del written["train"][key]
    write(stopped.out / "config.yaml", written)
    (stopped.out / "run.json").unlink()
    train(stopped, host, console=quiet)
    assert weights(stopped) == weights(undisturbed)
    with pytest.raises(RunError, match=r"`train.opt` is adamw there and sgd here"):
        train(configure("train.opt=sgd", out="b"), host, console=quiet)
