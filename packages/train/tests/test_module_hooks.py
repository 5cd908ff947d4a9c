"""A method sees its training: the data, every step, two views, and masks that go on."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from onlay.config.run import RunConfig
from onlay.host import PluginHost
from onlay_train.run import train
from onlay_train.signals import Stopped

FILES = [Path(__file__).parent / "data" / f"{name}_plugin.py" for name in ("tiny", "pruning")]
METHOD = ("method=pruning", "train.grad_accum_steps=2", "train.checkpoint_every=2")


@pytest.fixture
def host() -> PluginHost:
    return PluginHost.discover(only="train", files=FILES)


def tensors(config: RunConfig) -> dict[str, torch.Tensor]:
    return load_file(config.out / "bundle" / "adapter_model.safetensors")


def test_masks_end_bit_for_bit_after_a_stop_and_a_step_is_the_optimizer_s(
    configure: Callable[..., RunConfig],
    host: PluginHost,
    quiet: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undisturbed = configure(*METHOD, out="a")
    train(undisturbed, host, console=quiet)
    found = tensors(undisturbed)
    place = "adapter.blocks.0.mlp_in.rewrites.0."
    # 30 samples in batches of 4, two of them a step: 4 steps an epoch, 12 in all
    assert found[f"{place}heard"].tolist() == [12, sum(range(1, 13)), 12 * 12]
    assert found[f"{place}mask"].sum() == 16 - 4
    assert found[f"{place}bright"] != 0
    for kill_at in (31, 50):
        stopped = configure(*METHOD, out=f"stopped at {kill_at}")
        monkeypatch.setenv("STRIPES_KILL_AT", str(kill_at))
        monkeypatch.setenv("STRIPES_SIGNAL", str(int(signal.SIGTERM)))
        with pytest.raises(Stopped):
            train(stopped, host, console=quiet)
        monkeypatch.delenv("STRIPES_KILL_AT")
        train(stopped, host, console=quiet)
        again = tensors(stopped)
        assert all(torch.equal(again[name], tensor) for name, tensor in found.items()), kill_at
