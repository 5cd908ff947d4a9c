"""The set that should be installed, the command line, and plugins made on the fly."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner, Result

ROOT = Path(__file__).parent.parent
SOURCES = Path(__file__).parent.glob("*_plugin/src/onlay_*")
collect_ignore = [src.parts[-3] for src in SOURCES if not find_spec(src.name)]
ELSEWHERE = Path(__file__).with_name("predict_elsewhere.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-matrix", action="store_true", help="write docs/reference/matrix.json")


@pytest.fixture(scope="session")
def ours() -> set[str]:
    """The distributions of this repository."""
    files = ROOT.glob("p*/*/pyproject.toml")
    return {tomllib.loads(file.read_text())["project"]["name"] for file in files}


@pytest.fixture(scope="session")
def expected(ours: set[str]) -> set[str]:
    """The distributions that this environment is meant to hold."""
    if "ONLAY_EXPECT" not in os.environ:
        pytest.skip("ONLAY_EXPECT does not say what is installed: `hatch run integration:run` does")
    chosen = os.environ["ONLAY_EXPECT"]
    sets = tomllib.loads(Path(__file__).with_name("sets.toml").read_text())
    return ours if chosen == "all" else {"onlay", *sets[chosen]}


@pytest.fixture(scope="session")
def onlay():
    """Run `onlay` in this process: `onlay("plugins", "--json")`."""
    from onlay.cli import main

    def run(*args: str) -> Result:
        return CliRunner().invoke(main, args, prog_name="onlay")

    return run


@pytest.fixture(scope="session")
def tiny_run() -> tuple[str, ...]:
    """A run of a second, without its folder: 8 steps in each of 2 epochs."""
    plugin = ROOT / "packages" / "train" / "tests" / "data" / "tiny_plugin.py"
    parts = ("backbone=tiny", "method=noisy", "data=stripes")
    short = ("train.epochs=2", "train.batch_size=4", "train.trackers=[]", "train.log_every=3")
    return ("--plugin", str(plugin), "train", *parts, *short)


@pytest.fixture(scope="session")
def elsewhere():
    """Predict with a bundle, on the `inputs.pt` beside it, in a process that has never seen the
    model that wrote it."""
    import torch

    command = [sys.executable, "-u", str(ELSEWHERE)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def predict(folder: Path, backbone: dict | None = None) -> list[torch.Tensor]:
            print(json.dumps([str(folder), backbone]), file=process.stdin, flush=True)
            answer = process.stdout.readline()
            assert answer, "the other process died; its traceback is above"
            return [torch.tensor(values) for values in json.loads(answer)]

        yield predict
        process.stdin.close()


@dataclass
class FakePlugins:
    """Distributions on a folder of the import path, as an installer would leave them."""

    folder: Path

    def install(self, name: str, code: str, *, requires: str = "onlay>=0.2,<0.3") -> None:
        """One module with `code`, named by an entry point, and its metadata."""
        module = f"{name}_plugin"
        (self.folder / f"{module}.py").write_text(dedent(code))
        info = self.folder / f"onlay_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: onlay-{name}\nVersion: 1.0\nRequires-Dist: {requires}\n"
        )
        (info / "entry_points.txt").write_text(f"[onlay]\n{name} = {module}\n")
        importlib.invalidate_caches()


@pytest.fixture
def fake_plugins(tmp_path, monkeypatch):
    """Plugins that are installed for the length of one test."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield FakePlugins(folder)
    for module in [f.stem for f in folder.glob("*.py")]:
        sys.modules.pop(module, None)
