"""An optimizer that sees a step's loss twice: sharpness-aware minimisation, as a plugin."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner
from rich.console import Console
from safetensors.torch import load_file
from torch import nn

from onlay.cli import main
from onlay.config.run import RunConfig
from onlay.config.train import TrainConfig
from onlay.errors import ConfigError, PluginError
from onlay.host import PluginHost
from onlay_train.engine import make_accelerator
from onlay_train.optimizer import make_optimizer
from onlay_train.replay import Replay, check_closure
from onlay_train.run import train
from onlay_train.signals import Stopped

Configure = Callable[..., RunConfig]
FILES = [Path(__file__).parent / "data" / f"{name}_plugin.py" for name in ("tiny", "odd")]
FILES.append(Path(__file__).parents[3] / "docs" / "examples" / "sharpness_aware.py")
SAM = ("train.opt=sam", "train.opt_kwargs.rho=0.5", "train.lr=0.05", "train.epochs=2")


@pytest.fixture
def host() -> PluginHost:
    return PluginHost.discover(only="train", files=FILES)


class Squares(nn.Module):
    """The loss of a batch is share * mean(input * w ** 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([[1.0]]))
        self.seen: list[float] = []

    def trained_parameters(self) -> dict[str, nn.Parameter]:
        return {"head.w": self.w}

    def no_weight_decay(self) -> set[str]:
        return set()

    def forward(self, inputs: torch.Tensor, targets: object, *, share: float = 1.0) -> torch.Tensor:
        self.seen.append(self.w.item())
        return share * (inputs * self.w**2).mean()


@pytest.mark.parametrize("accumulated", [1, 2])
def test_a_step_by_hand(host: PluginHost, accumulated: int) -> None:
    """The slope of 2 w ** 2 at 1 is 4; at 1 + 0.5 it is 6, and that is what is taken."""
    config = TrainConfig(
        opt="sam",
        opt_kwargs={"rho": 0.5},
        lr=0.1,
        momentum=0,
        weight_decay=0.0,
        grad_accum_steps=accumulated,
    )
    accelerator, clipped = make_accelerator(config), []
    model = Squares()
    prepared, optimizer = accelerator.prepare(model, make_optimizer(model, config, host))
    replay = Replay(prepared, optimizer, accelerator, lambda: clipped.append(model.w.grad.item()))
    inputs = torch.tensor([1.0, 3.0])  # on average 2
    for part in inputs.chunk(accumulated):
        with accelerator.accumulate(prepared):
            accelerator.backward(prepared(part, None))
            replay.step((part, None), 1.0)
    assert model.seen == [1.0] * accumulated + [1.5] * accumulated
    assert clipped == pytest.approx([6.0])
    assert model.w.item() == pytest.approx(1 - 0.1 * 6)
    assert replay.kept == []


def test_a_stopped_run_ends_bit_for_bit(
    configure: Configure, host: PluginHost, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    hard = (*SAM, "train.grad_accum_steps=2", "train.head_lr=0.2", "train.layer_decay=0.7")
    undisturbed = configure(*hard, out="a")
    train(undisturbed, host, console=quiet)
    one = load_file(undisturbed.out / "bundle" / "adapter_model.safetensors")
    for kill_at in (9, 41):
        stopped = configure(*hard, out=f"stopped at {kill_at}")
        monkeypatch.setenv("STRIPES_KILL_AT", str(kill_at))
        monkeypatch.setenv("STRIPES_SIGNAL", str(int(signal.SIGTERM)))
        with pytest.raises(Stopped):
            train(stopped, host, console=quiet)
        monkeypatch.delenv("STRIPES_KILL_AT")
        train(stopped, host, console=quiet)
        two = load_file(stopped.out / "bundle" / "adapter_model.safetensors")
        assert all(torch.equal(one[name], two[name]) for name in one), kill_at


def test_settings_are_checked_where_they_are_written(configure: Configure) -> None:
    with pytest.raises(ConfigError, match=r"train.opt_kwargs.roh: unknown key; did you mean `rho`"):
        configure("train.opt=sam", "train.opt_kwargs.roh=1")


def test_scaled_gradients_are_refused_in_words(host: PluginHost) -> None:
    sam = make_optimizer(Squares(), TrainConfig(opt="sam"), host)
    with pytest.raises(ConfigError, match=r"`Sam` repeats .* `train.precision=fp16` cannot follow"):
        check_closure(sam, SimpleNamespace(scaler=object()))  # type: ignore[arg-type]
    check_closure(sam, SimpleNamespace(scaler=None))  # type: ignore[arg-type]


def test_what_a_plugin_gives_is_looked_at(host: PluginHost) -> None:
    with pytest.raises(PluginError, match=r"plugin `odd_plugin.py.* failed in `optimizer `failing"):
        make_optimizer(Squares(), TrainConfig(opt="failing"), host)
    with pytest.raises(PluginError, match="is a `str` and no"):
        make_optimizer(Squares(), TrainConfig(opt="text"), host)


def test_optimizers_are_explained() -> None:
    words = [word for file in FILES for word in ("--plugin", str(file))]
    found = CliRunner().invoke(main, [*words, "explain", "sam"])
    assert "optimizer sam (sharpness_aware.py" in found.output
    assert "rho: float (default 0.05)" in found.output
    found = CliRunner().invoke(main, [*words, "explain", "adamw"])
    assert "Adam with decoupled weight decay" in found.output
    assert "train.opt=adamw train.opt_kwargs.NAME=VALUE" in found.output
