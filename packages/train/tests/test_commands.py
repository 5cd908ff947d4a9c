"""`onlay train`, in process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from refused import Command, refusal

from onlay.host.firstparty import BROUGHT_BY
from onlay_train.finish import _command


def test_train_prints_lines_and_a_table(onlay_command: Command, tmp_path: Path) -> None:
    result = onlay_command("train")
    assert result.exit_code == 0, result.output
    out = result.stdout
    assert "noisy on tiny: trains 232 parameters (4.39 % of the backbone's 5,280)" in out
    assert "stripes: 30 training, 10 validation, 10 test; 4 classes" in out
    assert [line.split("  ")[0] for line in out.splitlines() if line.startswith("epoch")] == [
        "epoch 1/3",
        "epoch 2/3",
        "epoch 3/3",
    ]
    assert "232 = method 164 + head 68 + other 0" in out
    assert f"bundle {tmp_path / 'run'}/bundle".replace("\n", "") in out.replace("\n", "")


def test_train_says_that_a_run_is_finished(onlay_command: Command, tmp_path: Path) -> None:
    onlay_command("train", "train.epochs=1")
    result = onlay_command("train", "train.epochs=1")
    assert result.exit_code == 0
    assert f"`{tmp_path / 'run'}` is finished; nothing is left to train" in result.stdout


def test_train_refuses_another_runs_folder(onlay_command: Command) -> None:
    onlay_command("train", "train.epochs=1")
    text = refusal(onlay_command("train", "train.epochs=1", "train.seed=7"))
    assert "already holds another run (`train.seed` is 0 there and 7 here)" in text


def test_a_run_file_and_a_plugin_file(
    onlay_command: Command, tmp_path: Path, plugin_file: Path
) -> None:
    run = tmp_path / "run.yaml"
    run.write_text(
        "backbone: tiny\nmethod: noisy\ndata: stripes\ntrain: {epochs: 1, trackers: []}\n"
    )
    out = tmp_path / "there"
    words = [str(run), f"out={out}", "--plugin", str(plugin_file)]
    result = onlay_command("train", *words, small=False)
    assert result.exit_code == 0, result.output
    assert (out / "bundle" / "adapter_config.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["method=noisi"], "did you mean `noisy`?"),
        (["train.epohs=3"], "train.epohs: unknown key; did you mean `epochs`?"),
        (["train.lr=fast"], "train.lr: must be a valid number"),
        (["train.lr=-1"], "train.lr: must be greater than 0"),
        (["train.warmup_epochs=4"], "`warmup_epochs` 4 is more than `epochs` 3"),
        (["train.min_lr=1"], "`min_lr` 1 is above `lr` 0.01"),
        (["train.selection=best"], "train.selection: must be 'last', 'best_val' or"),
        (
            ["train.trackers=wanb"],
            "mlflow, swanlab, tensorboard, trackio, wandb); did you mean `wandb`",
        ),
        (["absent.yaml"], "there is no configuration file `absent.yaml`"),
        (["a.yaml", "b.yaml"], "one run file is expected, and `b.yaml` is a second one"),
        (["--preset", "vtab1k"], "method `noisy` has no preset `vtab1k` (have: none)"),
    ],
)
def test_mistakes_are_one_sentence(onlay_command: Command, words: list[str], message: str) -> None:
    assert message in refusal(onlay_command("train", *words))


def test_a_method_of_ours_that_is_not_installed(
    onlay_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BROUGHT_BY, "onlay-unborn", {"method": ("unborn",)})
    told = refusal(onlay_command("train", "method=unborn"))
    assert "it comes with `onlay-unborn`: in a clone of Onlay `hatch" in told


def test_a_run_on_data_of_a_plugin_that_is_gone_says_what_to_install(
    onlay_command: Command, tmp_path: Path
) -> None:
    onlay_command("train", "train.epochs=1")
    file = tmp_path / "run" / "config.yaml"
    text = file.read_text().replace("name: stripes", "name: shelf")
    file.write_text(text.replace("plugins:\n", "plugins:\n  acme-data: '1.2'\n"))
    told = refusal(onlay_command("eval", str(tmp_path / "run"), small=False))
    assert told.startswith("no dataset `shelf` is installed (have: ")
    assert told.endswith("it comes with `acme-data 1.2`: `pip install acme-data==1.2`")


@pytest.mark.parametrize(
    ("words", "setting"),
    [
        (["--lr=1e-3"], "`--lr` is no option but a setting; write `train.lr=1e-3`"),
        (["--batch-size", "8"], "write `train.batch_size=8`"),
        (["--epochs", "train.lr=1"], "write `train.epochs=...`"),
        (["--method.rank=8"], "write `method.rank=8`"),
        (["--rank=8"], "write `method.rank=8`"),
        (["--out", "there"], "write `out=there`"),
        (["lr=1e-3"], "lr: unknown key; did you mean `train.lr`?"),
    ],
)
def test_a_setting_that_is_no_option(
    onlay_command: Command, words: list[str], setting: str
) -> None:
    assert setting in refusal(onlay_command("train", *words))


def test_an_option_that_is_no_setting_either(onlay_command: Command) -> None:
    result = onlay_command("train", "--verbose")
    assert result.exit_code == 2
    assert "No such option" in result.stderr


def test_names_and_paths_are_no_markup(onlay_command: Command, tmp_path: Path) -> None:
    out = tmp_path / "a[" / "b]c"
    result = onlay_command("train", "train.epochs=1", f"out={out}")
    assert result.exit_code == 0, result.output
    assert f"bundle {out}/bundle, curves {out}/curves.png" in result.stdout


def test_a_line_has_the_seconds_of_its_epoch(onlay_command: Command, tmp_path: Path) -> None:
    out = onlay_command("train").stdout
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    shown = [line for line in out.splitlines() if line.startswith("epoch")]
    assert len(shown) == 3
    for i, record in enumerate(records):
        before = records[i - 1]["seconds"] if i else 0
        assert f"  {record['seconds'] - before:.1f} s" in shown[i]


def test_a_run_that_had_trained_all_says_so(
    onlay_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("onlay_train.run.finish", lambda trainer, config: 1 / 0)
        onlay_command("train", "train.epochs=1")
    result = onlay_command("train", "train.epochs=1")
    assert result.exit_code == 0, result.output
    assert "resumed after the last epoch, at step 8: only the end is left" in result.stdout


def test_train_without_words_says_what_to_type(onlay_command: Command) -> None:
    assert "onlay train run.yaml" in refusal(onlay_command("train", small=False))


def test_a_misbehaving_plugin_is_named(onlay_command: Command, tmp_path: Path) -> None:
    bad = tmp_path / "badly.py"
    bad.write_text(
        "import onlay\n\n@onlay.hookimpl\ndef evaluated(split):\n    raise KeyError(split)\n"
    )
    text = refusal(onlay_command("train", "--plugin", str(bad)))
    assert text.startswith("plugin `badly")
    assert "failed in `evaluated`: KeyError: 'validation'" in text
    assert (tmp_path / "run" / "last.pt").exists()


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["/usr/bin/onlay", "train", "a b.yaml"], "onlay train 'a b.yaml'"),
        (["/x/onlay/__main__.py", "folds", "run.yaml"], "onlay folds run.yaml"),
        (["/usr/bin/onlay", "compare", "grid.yaml"], "onlay train config.yaml"),
        (["/x/job.py", "jobs/1.json"], "onlay train config.yaml"),  # which is deleted afterwards
        (["/x/ipykernel_launcher.py", "-f", "kernel.json"], "onlay train config.yaml"),
    ],
)
def test_a_bundle_tells_a_command_that_can_be_given(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], told: str
) -> None:
    monkeypatch.setattr("sys.argv", argv)
    assert _command() == told
