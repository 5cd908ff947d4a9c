"""What cannot be written is one sentence, and nothing half-written stays behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

import onlay
from onlay.config.run import RunConfig
from onlay.errors import RunError
from onlay.host import PluginHost
from onlay_train.run import train

resource = pytest.importorskip("resource", reason="this system limits no files")
Configure = Callable[..., RunConfig]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_limit_below_a_checkpoint_is_found_before_training(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    config = configure()
    # 232 trained numbers and AdamW's two for each, of four bytes: 2,784
    with files_of_at_most(2783), pytest.raises(RunError, match=r"a file may have 2\.7 KiB here"):
        train(config, host, console=quiet)
    assert not config.out.exists()


def test_a_limit_that_a_checkpoint_meets(
    configure: Configure, host: PluginHost, quiet: Console
) -> None:
    config = configure()
    message = r"last.pt` cannot be written: the file would be larger than is allowed here"
    with files_of_at_most(4096), pytest.raises(RunError, match=message):
        train(config, host, console=quiet)
    assert names(config.out) == {"config.yaml", "metrics.jsonl", "run.json"}
    assert train(config, host, console=quiet).epochs == 3


def test_a_limit_that_the_picture_meets_loses_nothing(
    configure: Configure, host: PluginHost, quiet: Console, drawn: None
) -> None:
    before, config = configure("train.epochs=1", out="a"), configure("train.epochs=1")
    train(before, host, console=quiet)
    allowed = (before.out / "last.pt").stat().st_size + 500
    assert allowed < (before.out / "curves.png").stat().st_size
    message = r"curves.png` cannot be written: the file would be larger than is allowed here"
    with files_of_at_most(allowed), pytest.raises(RunError, match=message):
        train(config, host, console=quiet)
    assert names(config.out) == {"bundle", "config.yaml", "last.pt", "metrics.jsonl", "run.json"}
    assert onlay.load(config.out, host=host).method.name == "noisy"
    assert train(config, host, console=quiet).epochs == 1


def test_a_disk_with_too_little_room_is_found_before_training(
    configure: Configure, host: PluginHost, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure("train.model_ema_decay=0.5")
    # two checkpoints of 4 x 928 bytes, a third that is written, and a bundle of 928
    usage = SimpleNamespace(free=3 * 4 * 928 + 928 - 1)
    monkeypatch.setattr("onlay_train.room.shutil.disk_usage", lambda _: usage)
    with pytest.raises(RunError, match=r"has 11\.8 KiB free, and a bundle and the check"):
        train(config, host, console=quiet)
    assert not config.out.exists()
    usage.free += 1
    train(config, host, console=quiet)


def test_a_bundle_that_is_gone_is_written_again(
    configure: Configure, host: PluginHost, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure("train.epochs=1")
    train(config, host, console=quiet)
    tensors = config.out / "bundle" / "adapter_model.safetensors"
    before = tensors.read_bytes()
    shutil.rmtree(config.out / "bundle")
    # of the three checkpoints one is there, and is larger than its tensors of 3 x 928 bytes
    usage = SimpleNamespace(free=3 * 928 + 928)
    monkeypatch.setattr("onlay_train.room.shutil.disk_usage", lambda _: usage)
    train(config, host, console=quiet)
    assert tensors.read_bytes() == before


@pytest.mark.parametrize("name", ["config.yaml", "last.pt", "summary.json"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(
    configure: Configure, host: PluginHost, quiet: Console, name: str
) -> None:
    config = configure()
    config.out.mkdir()
    os.mkfifo(config.out / name)
    with pytest.raises(RunError, match=rf"{name}` is no plain file: remove it"):
        train(config, host, console=quiet)
