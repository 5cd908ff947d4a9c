"""The set that should be installed, the command line, and plugins made on the fly."""

from __future__ import annotations

import importlib
import os
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner, Result

ROOT = Path(__file__).parent.parent


def members() -> set[str]:
    """The distributions of this repository."""
    files = ROOT.glob("p*/*/pyproject.toml")
    return {tomllib.loads(file.read_text())["project"]["name"] for file in files}


@pytest.fixture(scope="session")
def expected() -> set[str]:
    """The distributions that this environment is meant to hold."""
    sets = {
        "none": {"inlay"},
        "image-arc": {"inlay", "inlay-image", "inlay-arc"},
        "image-smoa-iconformer": {
            *("inlay", "inlay-train", "inlay-image"),
            *("inlay-smoa", "inlay-iconformer"),
        },
        "pointcloud-dapt": {"inlay", "inlay-train", "inlay-pointcloud", "inlay-dapt"},
        "all": members(),
    }
    if "INLAY_EXPECT" not in os.environ:
        pytest.skip("INLAY_EXPECT does not say what is installed: `hatch run integration:run` does")
    return sets[os.environ["INLAY_EXPECT"]]


@pytest.fixture
def inlay():
    """Run `inlay` in this process: `inlay("plugins", "--json")`."""
    from inlay.cli import main

    def run(*args: str) -> Result:
        return CliRunner().invoke(main, args, prog_name="inlay")

    return run


@dataclass
class FakePlugins:
    """Distributions on a folder of the import path, as an installer would leave them."""

    folder: Path

    def install(self, name: str, code: str, *, requires: str = "inlay>=0.1,<0.2") -> None:
        """One module with `code`, named by an entry point, and its metadata."""
        module = f"{name}_plugin"
        (self.folder / f"{module}.py").write_text(dedent(code))
        info = self.folder / f"inlay_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: inlay-{name}\nVersion: 1.0\nRequires-Dist: {requires}\n"
        )
        (info / "entry_points.txt").write_text(f"[inlay]\n{name} = {module}\n")
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
