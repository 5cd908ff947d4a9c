"""Plugin files on the command line, and what listing may import."""

from __future__ import annotations

import subprocess
import sys

from click.testing import CliRunner

from onlay.cli import main
from onlay.testing.said import refusal

# --- plugin files


FILE = """
from typing import Literal
from onlay import hookimpl
from onlay.settings import Config
from onlay.descriptors import Method

class WarpConfig(Config):
    name: Literal["warp"] = "warp"

@hookimpl
def register_methods():
    yield Method(
        name="warp", config=WarpConfig, attach=f"{__name__}:attach", summary="warps",
        unimportable="nobody made one",
    )
"""


def test_a_plugin_file_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "warp_method.py"
    path.write_text(FILE)
    result = CliRunner().invoke(main, ["--plugin", str(path), "explain", "warp"])
    assert result.output.startswith("method warp (warp_method.py): ")
    del sys.modules["warp_method"]


def test_a_plugin_file_behind_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "warp_method.py"
    path.write_text(FILE)
    args = ["import", "warp", "x.pt", "--out", str(tmp_path / "x"), "--plugin", str(path)]
    sentence = refusal(CliRunner().invoke(main, args))
    assert "method `warp` reads no foreign checkpoints: nobody made one (have: " in sentence
    del sys.modules["warp_method"]


def test_a_broken_plugin_file_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "torn_method.py"
    path.write_text("def half(:")
    sentence = refusal(CliRunner().invoke(main, ["--plugin", str(path), "--help"]))
    assert sentence.startswith("plugin file `torn_method.py`: SyntaxError: ")


# --- budget


def test_listing_imports_neither_torch_nor_what_is_slow():
    """`--help` and `plugins` in one process: neither needs a configuration class."""
    code = (
        "import sys\n"
        "from onlay.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "help_slow = {'torch', 'pydantic', 'rich', 'packaging'} & set(sys.modules)\n"
        "main(['plugins'], standalone_mode=False)\n"
        "slow = {'torch', 'timm', 'numpy', 'rich', 'accelerate', 'pydantic'} & set(sys.modules)\n"
        "print('slow:', sorted(help_slow), sorted(slow))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "slow: [] []"


def test_import_onlay_is_light():
    code = "import sys, onlay; print({'torch', 'pydantic', 'pluggy', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_python_m_onlay():
    command = [sys.executable, "-m", "onlay", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("onlay ")
