from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from rich.console import Console

from onlay.cli import main
from onlay.config import resolve
from onlay.config.run import RunConfig
from onlay.host import PluginHost

PLUGIN = Path(__file__).parent / "data" / "tiny_plugin.py"
RUN = ("backbone=tiny", "method=noisy", "data=stripes")
TRAIN = ("train.epochs=3", "train.batch_size=4", "train.lr=1e-2", "train.trackers=[]")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def plugin_file() -> Path:
    return PLUGIN


@pytest.fixture
def host() -> PluginHost:
    return PluginHost.discover(only="train", files=[PLUGIN])


@pytest.fixture
def quiet() -> Console:
    return Console(quiet=True)


@pytest.fixture
def configure(tmp_path: Path, host: PluginHost) -> Callable[..., RunConfig]:
    """`configure("train.lr=1", out="b")`: the small run of these tests, with changes."""

    def make(*overrides: str, out: str = "run") -> RunConfig:
        given = (*RUN, *TRAIN, f"out={tmp_path / out}", *overrides)
        return resolve({}, given, host=host)

    return make


@pytest.fixture
def onlay_command(tmp_path: Path) -> Callable[..., Result]:
    """`onlay_command("train", "train.lr=1")`: the small run on the command line, in process."""

    def run(command: str, *words: str, small: bool = True, **kwargs: Any) -> Result:
        given = (*RUN, *TRAIN, f"out={tmp_path / 'run'}") if small else ()
        arguments = ["--plugin", str(PLUGIN), command, *given, *words]
        return CliRunner().invoke(main, arguments, **kwargs)

    return run


@pytest.fixture
def small_run(tmp_path: Path) -> list[str]:
    """The words of the small run, for a process of its own."""
    return ["--plugin", str(PLUGIN), "train", *RUN, *TRAIN, f"out={tmp_path / 'run'}"]
