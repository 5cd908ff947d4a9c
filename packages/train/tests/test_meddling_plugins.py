"""Plugins that are told of a run cannot change what it learns, keeps or says."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from told import Configure

from onlay import hookimpl
from onlay.errors import PluginError
from onlay.host import PluginHost
from onlay_train.folder import RunFolder
from onlay_train.run import train


class Meddling:
    """Draws, changes what it is handed, and sets the model to evaluation."""

    @hookimpl
    def step_finished(self, model: Any, metrics: dict[str, Any]) -> None:
        torch.rand(3)
        random.random()
        np.random.rand()
        metrics["loss"] = "none"
        model.eval()

    @hookimpl
    def evaluated(self, split: str, metrics: dict[str, Any]) -> None:
        torch.rand(3)
        metrics |= {"top1": 1.0, "split": split}

    @hookimpl
    def run_finished(self, summary: dict[str, Any]) -> None:
        summary.clear()


def test_what_plugins_do_changes_no_weight_and_no_figure(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    """The method of these runs draws in each step."""
    alone = configure("train.log_every=1", out="a")
    train(alone, host, console=quiet)
    host.add(Meddling(), name="meddling")
    beside = configure("train.log_every=1", out="b")
    train(beside, host, console=quiet)
    one, two = (
        load_file(run.out / "bundle" / "adapter_model.safetensors") for run in (alone, beside)
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    figures = [
        [{k: v for k, v in record.items() if "seconds" not in k} for record in history]
        for history in (RunFolder(run.out).history() for run in (alone, beside))
    ]
    assert figures[0] == figures[1]
    summaries = [RunFolder(run.out).summary.read_text() for run in (alone, beside)]
    assert summaries[0].count("top1") == summaries[1].count("top1")
    assert '"split"' not in summaries[1]


class Grasping:
    """Does something to a checkpoint's content."""

    def __init__(self, act: Callable[[Any], Any]) -> None:
        self.act = act

    @hookimpl
    def checkpoint_saving(self, state: Any) -> None:
        self.act(state)


@pytest.mark.parametrize(
    ("act", "key"),
    [
        (lambda state: state.update(mine=1, records={}), "records"),
        (lambda state: state.__setitem__("best", 0.97), "best"),
        (lambda state: state.__ior__({"format": 2}), "format"),
        (lambda state: state.pop("progress"), "progress"),
        (lambda state: state.clear(), ""),
    ],
)
def test_no_plugin_takes_a_key_of_ours(
    act: Any, key: str, configure: Configure, host: PluginHost, quiet: Console
) -> None:
    """It would be read as ours when the run goes on."""
    alone, stopped = configure(out="a"), configure(out="b")
    train(alone, host, console=quiet)
    grasping = Grasping(act)
    host.add(grasping, name="grasping")
    with pytest.raises(PluginError, match=rf"`grasping.*`checkpoint_saving`: ValueError: .*`{key}"):
        train(stopped, host, console=quiet)
    grasping.act = lambda state: state.setdefault("mine", {}).update(seen=3)
    train(stopped, host, console=quiet)
    one, two = (
        load_file(run.out / "bundle" / "adapter_model.safetensors") for run in (alone, stopped)
    )
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_two_plugins_take_no_key_twice(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    for name in ("one", "two"):
        host.add(Grasping(lambda state: state.update(seen=3)), name=name)
    with pytest.raises(PluginError, match=r"has a key `seen` already; add one of your own"):
        train(configure(), host, console=quiet)
