"""None"""

from __future__ import annotations

import json
from types import ModuleType

import pytest
from click.testing import CliRunner

from onlay import hookimpl
from onlay.cli import main
from onlay.testing.said import refusal


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


@pytest.mark.parametrize(("number", "said"), [("0", True), ("1", False), ("none", True)])
def test_one_of_a_launchers_processes_says_it(number: str, said: bool) -> None:
    result = CliRunner().invoke(main, ["plugins", "--nonsense"], env={"RANK": number})
    assert result.exit_code == 2
    assert ("No such option" in result.stderr) is said


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
    assert "depends on the input: the angle" in output
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


def test_a_file_that_no_system_opens_is_a_sentence_and_one_of_pythons_own_a_fault(onlay):
    result = onlay("read_long")
    assert result.exit_code == 2
    assert result.stderr == f"Error: `{'a' * 300}` cannot be used: its name is too long\n"
    assert isinstance(onlay("read_ours").exception, FileNotFoundError)
