"""The command line, in process: what it prints, what it refuses, and with which status."""

from __future__ import annotations

import json
import subprocess
import sys
from types import ModuleType
from typing import Literal

import click
import pytest
from click.testing import CliRunner

from onlay import PluginHost, hookimpl
from onlay.cli import main
from onlay.config.base import Config
from onlay.descriptors import Command, Method
from onlay.errors import RunError
from onlay.host import builtin
from onlay.testing.said import refusal


class TwistConfig(Config):
    """A twist."""

    name: Literal["twist"] = "twist"
    """This method."""
    rank: int = 3
    """How far."""


def register_methods():
    yield Method(
        name="twist",
        config=TwistConfig,
        attach="nowhere:attach",
        summary="twists",
        needs=frozenset({"grid"}),
        refuses={"hierarchical": "its widths differ"},
        presets={
            "soft": {"method": {"rank": 1}, "train": {"lr": 0.5}},
            "flat": {"modality": "image", "method": {"rank": 2}},
        },
        citation="A. Uthor: Twists. 2026.",
    )


def register_commands():
    for name in ("refuse", "crash", "interrupt", "hello", "read_long", "read_ours"):
        yield Command(name=name, command=f"fake_commands:{name}", summary=f"{name} something")


@click.command()
def refuse():
    raise RunError("the disk is full")


@click.command()
def crash():
    raise ZeroDivisionError("ours")


@click.command()
def interrupt():
    raise KeyboardInterrupt


@click.command()
def read_long():
    open("a" * 300).close()


@click.command()
def read_ours():
    open(f"{sys.prefix}/nothing").close()


@click.command()
@click.pass_obj
def hello(host):
    click.echo(", ".join(host.methods))


@pytest.fixture
def host(monkeypatch):
    fake = ModuleType("fake")
    fake.register_methods = hookimpl(register_methods)
    fake.register_commands = hookimpl(register_commands)
    commands = ModuleType("fake_commands")
    vars(commands).update(refuse=refuse, crash=crash, interrupt=interrupt, hello=hello)
    vars(commands).update(read_long=read_long, read_ours=read_ours)
    monkeypatch.setitem(sys.modules, "fake_commands", commands)
    host = PluginHost()
    host.add(builtin, name="core", distribution="onlay", version="0.2.0")
    host.add(fake, name="fake", distribution="onlay-fake", version="4.2")
    return host


@pytest.fixture
def onlay(host):
    def run(*args):
        return CliRunner().invoke(main, args, prog_name="onlay", obj=host)

    return run


def test_help_lists_commands_from_their_descriptors(onlay):
    result = onlay("--help")
    assert result.exit_code == 0
    for line in ("explain", "plugins", "hello something", "predict"):
        assert line in result.output


def test_the_version(onlay):
    from onlay import __version__

    assert onlay("--version").output == f"onlay {__version__}\n"


def test_a_command_of_a_plugin_gets_the_host(onlay):
    assert onlay("hello").output == "bitfit, full, linear, twist\n"


# --- errors and statuses


def test_a_users_mistake_is_one_sentence_and_status_2(onlay):
    assert refusal(onlay("refuse")) == "the disk is full"


def test_a_usage_error_is_status_2_too(onlay):
    result = onlay("hello", "--loud")
    assert result.exit_code == 2
    assert "No such option" in result.stderr


def test_our_own_mistake_keeps_its_traceback(onlay):
    result = onlay("crash")
    assert isinstance(result.exception, ZeroDivisionError)


def test_ctrl_c_is_130(onlay):
    result = onlay("interrupt")
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (
            "train",
            "`train` needs `onlay-train`: in a clone of Onlay `hatch build --all`, ",
        ),
        ("demo", "`demo` needs `onlay-train`: in a clone of Onlay"),
        ("halo", "did you mean `hello`?"),
    ],
)
def test_a_command_that_is_not_there(onlay, command, sentence):
    assert sentence in refusal(onlay(command))


def test_a_wrong_switch_is_refused_even_for_help(monkeypatch):
    monkeypatch.setenv("ONLAY_PLUGINS", "nothing_like_that")
    result = CliRunner().invoke(main, ["--help"])
    assert "no plugin `nothing_like_that` is installed" in refusal(result)


# --- onlay plugins


def test_plugins_lists_what_each_brings(onlay, host):
    broken = ModuleType("broken")
    broken.register_tasks = hookimpl(lambda: 1 / 0)
    host.add(broken, name="zzz", distribution="onlay-zzz", version="9")
    result = onlay("plugins")
    assert result.exit_code == 0
    rows = {line.split()[0]: line for line in result.output.splitlines()}
    assert "onlay-fake 4.2  ok" in rows["fake"]
    assert "method: twist" in rows["fake"]
    assert "onlay-zzz 9     broken" in rows["zzz"]
    assert "ZeroDivisionError" in rows["zzz"]


def test_plugins_as_json(onlay):
    rows = {row["name"]: row for row in json.loads(onlay("plugins", "--json").output)}
    assert rows["fake"]["brings"]["method"] == ["twist"]
    assert rows["fake"]["distribution"] == "onlay-fake"
    assert rows["core"]["status"] == "ok"


def test_show_one_plugin(onlay):
    output = onlay("plugins", "show", "onlay-fake").output
    assert output.startswith("fake: onlay-fake 4.2 from ")
    assert "  method twist: twists\n" in output
    assert json.loads(onlay("plugins", "show", "fake", "--json").output)[0]["name"] == "fake"
    assert "did you mean `fake`?" in refusal(onlay("plugins", "show", "fak"))


# --- onlay explain and schema


def test_explain_a_method(onlay):
    output = onlay("explain", "twist").output
    assert output.startswith("method twist (onlay-fake 4.2): A twist.\n")
    assert "  rank: int (default 3)\n      How far.\n" in output
    assert "needs a backbone with: grid" in output
    assert "not for a backbone with hierarchical: its widths differ" in output
    assert "presets: soft, flat" in output
    assert output.endswith("A. Uthor: Twists. 2026.\n")


def test_explain_a_preset(onlay):
    assert onlay("explain", "twist", "--preset", "soft").output == "method.rank=1\ntrain.lr=0.5\n"
    flat = onlay("explain", "twist", "--preset", "flat").output
    assert flat == "# for `image` data\nmethod.rank=2\n"
    assert "did you mean `soft`?" in refusal(onlay("explain", "twist", "--preset", "sft"))


@pytest.mark.parametrize("name", ["train", "run", "classification", "bitfit"])
def test_explain_everything_else(onlay, name):
    result = onlay("explain", name)
    assert result.exit_code == 0
    assert name in result.output.splitlines()[0]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("twit", "did you mean `twist`?"),
        ("iconformer", "it comes with `onlay-iconformer`: in a clone of Onlay"),
        ("point_bert", "pip install --find-links dist onlay-pointcloud`"),
    ],
)
def test_explain_what_is_not_there(onlay, name, sentence):
    assert sentence in refusal(onlay("explain", name))


def test_schema_is_json_over_what_is_installed(onlay):
    schema = json.loads(onlay("schema").output)
    assert schema["$defs"]["TwistConfig"]["properties"]["rank"]["default"] == 3


# --- plugin files


FILE = """
from typing import Literal
from onlay import hookimpl
from onlay.config.base import Config
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


def test_a_file_that_no_system_opens_is_a_sentence_and_one_of_pythons_own_a_fault(onlay):
    result = onlay("read_long")
    assert result.exit_code == 2
    assert result.stderr == f"Error: `{'a' * 300}` cannot be used: its name is too long\n"
    assert isinstance(onlay("read_ours").exception, FileNotFoundError)
