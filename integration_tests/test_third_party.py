"""A package that Onlay knows nothing of: found, checked, trained, used, and missed when it is gone.

It is the one that the tutorial writes, with its own tests in `example_plugin/tests`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

NAME = "onlay-example-lora"
TWO_STEPS = ("train.epochs=1", "train.batch_size=500", "train.lr=1e-3", "train.trackers=[]")
pytestmark = pytest.mark.skipif(
    not find_spec("onlay_example_lora"), reason=f"`{NAME}` is in the set third-party alone"
)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory, onlay) -> Path:
    """A run of two steps on 1,000 digits, as a user starts it."""
    folder = tmp_path_factory.mktemp("third_party") / "run"
    words = ("backbone=onlay_vit_64", "method=my_lora", "method.rank=2", "data=digits")
    trained = onlay("train", *words, *TWO_STEPS, f"out={folder}")
    assert trained.exit_code == 0, trained.output
    return folder


@pytest.fixture
def digit(tmp_path) -> Path:
    """A handwritten eight as a file."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    path = tmp_path / "eight.png"
    Image.fromarray((load_digits().images[8] * 15).astype(np.uint8)).save(path)
    return path


def test_it_is_discovered(onlay):
    rows = json.loads(onlay("plugins", "--json").stdout)
    row = next(row for row in rows if row["distribution"] == NAME)
    assert (row["status"], row["brings"]) == ("ok", {"method": ["my_lora"]})


def test_it_is_explained(onlay):
    explained = onlay("explain", "my_lora").stdout
    assert "Low-rank updates of the weights that make q, k and v." in explained
    assert "rank: int, > 0 (default 8)" in explained


def test_it_is_checked(onlay):
    checked = onlay("plugins", "check", "my_lora")
    assert checked.exit_code == 0, checked.output


def test_it_is_trained_for_two_steps(run_folder):
    records = [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [2]
    manifest = json.loads((run_folder / "bundle" / "adapter_config.json").read_text())
    assert manifest["packages"]["method"] == {"distribution": NAME, "version": "1.0.0"}
    # in each of 6 blocks: rank * (width + 3 * width) = 2 * (192 + 576)
    assert manifest["parameters"]["method"] == 6 * 2 * (192 + 576)


def test_its_bundle_predicts(onlay, run_folder, digit):
    predicted = onlay("predict", str(run_folder), str(digit), "--json")
    assert predicted.exit_code == 0, predicted.output
    [answer] = json.loads(predicted.stdout)
    assert answer["class"] in set("0123456789")
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.skipif("ONLAY_WHEELS" not in os.environ, reason="an editable environment stays whole")
def test_without_it_the_bundle_says_what_to_install(run_folder, digit):
    predict = [sys.executable, "-m", "onlay", "predict", str(run_folder), str(digit)]
    with uninstalled():
        done = subprocess.run(predict, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    needs = "needs the method `my_lora`, which is not installed: it comes with `onlay-example-lora"
    command = "`pip install onlay-example-lora==1.0.0`"
    assert f"{needs} 1.0.0`: {command}" in " ".join(done.stderr.split())
    assert subprocess.run(predict, capture_output=True).returncode == 0, "it is back"


@contextmanager
def uninstalled() -> Iterator[None]:
    """Without the package, for the length of a `with` block."""
    uv, python = str(shutil.which("uv")), ("--quiet", "--python", sys.executable)
    [wheel] = Path(os.environ["ONLAY_WHEELS"]).glob("onlay_example_lora-*.whl")
    subprocess.run([uv, "pip", "uninstall", *python, NAME], check=True)
    try:
        yield
    finally:
        subprocess.run([uv, "pip", "install", *python, "--no-deps", str(wheel)], check=True)
