"""Whose a run's folder is, and what is refused of it."""

from __future__ import annotations

import json
from contextlib import nullcontext

import pytest
from rich.console import Console
from told import Configure

from onlay.errors import BundleError, ConfigError, RunError
from onlay.hooks import Run
from onlay.host import PluginHost
from onlay_train.folder import RunFolder
from onlay_train.run import train


@pytest.mark.parametrize("name", ["bundle", "curves.png"])
def test_what_is_in_the_way_of_the_end_is_found_before_training(
    configure: Configure, host: PluginHost, quiet: Console, name: str
) -> None:
    config = configure()
    config.out.mkdir()
    RunFolder(config.out).open(Run(folder=config.out, id="0", config=config), 4)
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


@pytest.mark.parametrize(
    ("words", "same"),
    [
        (["train.batch_size=2"], True),
        (["train.batch_size=1", "train.grad_accum_steps=2"], True),
        (["train.batch_size=3"], False),
        (["train.batch_size=2", "train.lr=0.5"], False),
    ],
)
def test_smaller_batches_on_more_processes_are_the_same_run(
    configure: Configure,
    host: PluginHost,
    quiet: Console,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    same: bool,
) -> None:
    train(configure("train.epochs=1"), host, console=quiet)
    monkeypatch.setenv("WORLD_SIZE", "2")
    folder, given = RunFolder(configure().out), configure("train.epochs=1", *words)
    with nullcontext() if same else pytest.raises(RunError, match="already holds another run"):
        folder.claim(given)


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
