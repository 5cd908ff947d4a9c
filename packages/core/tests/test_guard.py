"""Whatever a plugin's code raises, prints or takes its time for is its own affair alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result
from torch.nn import Linear

from onlay import PluginHost, hookimpl
from onlay.cli import main
from onlay.config.base import Config
from onlay.descriptors import Backbone, Command, Exporter, Method, Modality, resolve
from onlay.errors import PluginError
from onlay.machine import streams
from onlay.machine.guard import guarded, in_words, shown
from onlay.machine.streams import stdout_to_stderr
from onlay.methods.config import LinearConfig
from onlay.model.adopting import adopted
from onlay.testing import tiny_backbone

Install = Callable[..., None]


def command(*words: str) -> Result:
    return CliRunner().invoke(main, words, prog_name="onlay")


def statuses() -> dict[str, str]:
    listed = command("plugins", "--json")
    assert listed.exit_code == 0, listed.output
    return {row["name"]: row["status"] for row in json.loads(listed.stdout)}


# --- what is raised

MUTE = """
    class Mute(Exception):
        def __str__(self): raise SystemExit
        __repr__ = __str__

    raise Mute
"""
RAISED = {
    "raise KeyboardInterrupt": "KeyboardInterrupt (dist_ant_module.py, line 1)",
    "raise SystemExit(3)": "SystemExit: 3 (",
    "raise GeneratorExit": "GeneratorExit (",
    "raise BaseException('beyond')": "BaseException: beyond (",
    "raise MemoryError": "MemoryError (",
    "def f(): f()\nf()": "RecursionError: maximum recursion depth exceeded",
    MUTE: "Mute: an error whose text fails with SystemExit (dist_ant_module.py, line 6)",
    "raise OSError('\\x1b[31mred\\nline')": r"OSError: \x1b[31mred line (",
    "raise OSError('\\udc80')": r"OSError: \udc80 (",
    "raise OSError('x' * 10**7)": "OSError: " + "x" * 1000 + " (",
    "import warnings; warnings.simplefilter('error'); warnings.warn('old')": "UserWarning: old (",
    "raise type('Two\\nlines', (Exception,), {})('x')": "Two lines: x (",
}


@pytest.mark.parametrize("code", RAISED)
@pytest.mark.filterwarnings("default")
def test_whatever_an_import_raises_breaks_that_plugin_alone(site: Install, code: str) -> None:
    site("mole", "")
    site("ant", code)
    host = PluginHost.discover()
    (ant,) = [record for record in host.plugins if record.name == "ant"]
    assert ant.status == "broken"
    assert RAISED[code] in ant.reason
    assert ant.reason.isprintable()
    with pytest.raises(PluginError, match=r"needs the plugin `dist-ant 1\.5`, which is broken"):
        host.find("method", "ant")
    assert {statuses()[name] for name in ("mole", "core")} == {"ok"}
    told = command("plugins", "show", "ant")
    assert told.exit_code == 0
    assert ant.reason in told.stdout
    assert "\x1b" not in told.stdout
    assert command("explain", "full").exit_code == 0


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, StopIteration])
def test_whatever_a_hook_raises_breaks_or_is_charged_to_its_plugin(
    kind: type[BaseException],
) -> None:
    class Plugin:
        @hookimpl
        def register_methods(self) -> Any:
            raise kind

        @hookimpl
        def config_resolved(self, config: Any) -> None:
            raise kind

    host = PluginHost()
    record = host.add(Plugin(), name="ant")
    with pytest.raises(PluginError, match=f"`ant` failed in `config_resolved`: {kind.__name__}"):
        host.config_resolved(None)  # type: ignore[arg-type]
    assert dict(host.methods) == {}
    assert record.status == "broken"


@pytest.mark.parametrize(
    "code",
    [
        "import signal; signal.raise_signal(signal.SIGINT)",
        "import signal\ntry: signal.raise_signal(signal.SIGINT)\nexcept BaseException: pass",
        "import signal\ntry: signal.raise_signal(signal.SIGINT)\nexcept BaseException: 1 / 0",
    ],
)
def test_ctrl_c_of_the_user_ends_the_command_though_the_plugin_caught_it(
    site: Install, code: str
) -> None:
    site("ant", code)
    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job of a shell ignores it
    try:
        _interrupted_twice()
    finally:
        signal.signal(signal.SIGINT, former)


def _interrupted_twice() -> None:
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        PluginHost.discover()
    assert signal.getsignal(signal.SIGINT) is handler
    for words in (["--help"], ["plugins"]):
        sys.modules.pop("dist_ant_module", None)
        told = command(*words)
        assert told.exit_code == 130
        assert told.stderr.strip().endswith("interrupted")


def test_a_handler_that_only_takes_note_of_a_signal_is_asked_and_nothing_else_happens() -> None:
    heard: list[int] = []
    former = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    failures: list[BaseException] = []
    try:
        with guarded(failures.append):
            signal.raise_signal(signal.SIGINT)
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, former)
    assert heard == [signal.SIGINT]
    assert [type(failure) for failure in failures] == [KeyboardInterrupt]


def test_a_handler_that_the_plugin_puts_stays() -> None:
    def theirs(number: int, frame: Any) -> None: ...

    former = signal.getsignal(signal.SIGINT)
    try:
        with guarded(lambda error: None):
            signal.signal(signal.SIGINT, theirs)
        assert signal.getsignal(signal.SIGINT) is theirs
    finally:
        signal.signal(signal.SIGINT, former)


def test_a_sentence_of_ours_has_no_type_and_no_line() -> None:
    assert in_words(PluginError("use another one")) == "use another one"
    assert shown("a\tb \x07 \u2028 c") == r"a b \x07 c"


def backbone(name: str, adopt: str) -> Backbone:
    class Own(Config):
        """A test's own."""

        name: str

    Own.model_fields["name"].default = name
    paths = {"build": "a:b", "provides": "a:b", "adopt": adopt}
    return Backbone(name=name, config=Own, modality="image", summary="x", **paths)


def test_one_that_fails_to_know_a_model_leaves_it_to_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def furious(module: Any) -> None:
        raise ZeroDivisionError("no idea")

    def knowing(module: Any) -> Any:
        return built if module is built.module else None

    class Plugin:
        @hookimpl
        def register_backbones(self) -> Any:
            yield backbone("absent", "no_such_module:adopt")
            yield backbone("furious", "adopters:furious")
            yield backbone("knowing", "adopters:knowing")

    built, host = tiny_backbone(), PluginHost.discover(only="")
    adopters = ModuleType("adopters")
    vars(adopters).update(furious=furious, knowing=knowing)
    monkeypatch.setitem(sys.modules, "adopters", adopters)
    host.add(Plugin(), name="acme")
    assert adopted(built.module, host) is built
    with pytest.raises(PluginError, match="`acme` failed in `no_such_module:adopt`"):
        adopted(Linear(2, 2), host)


def test_what_an_import_path_leads_to_fails_in_words(site: Install) -> None:
    site("ant", "raise SystemExit('no licence')")
    for path, said in (
        ("dist_ant_module:read", "SystemExit: no licence (dist_ant_module.py, line 1)"),
        ("math:no_such", "AttributeError: module 'math' has no attribute 'no_such'"),
        ("no path", "ModuleNotFoundError"),
        ("", "ValueError"),
    ):
        with pytest.raises(PluginError) as told:
            resolve(path)
        assert str(told.value).startswith(f"`{path}` cannot be imported: {said}")
        assert told.value.__cause__ is not None


# --- what is registered


class Named(Config):
    """A configuration without a name of its own."""


def method(**given: Any) -> Method:
    usual = {"name": "linear", "config": LinearConfig, "attach": "a:b", "summary": "x"}
    return Method(**usual | given)


@pytest.mark.parametrize(
    ("descriptor", "reason"),
    [
        (method(name=7), "the name of a method must be text, not `int`"),
        (method(name=None), "the name of a method must be text, not `NoneType`"),
        (method(name=b"arc"), "the name of a method must be text, not `bytes`"),
        (method(name=["a"]), "the name of a method must be text, not `list`"),
        (method(name=""), "'' cannot name a method: use letters, digits, "),
        (method(name="two words"), "'two words' cannot name a method"),
        (method(name="-x"), "'-x' cannot name a method"),
        (method(name="a\n\x1b[31mb"), r"'a\n\x1b[31mb' cannot name a method"),
        (method(name="[red]a[/red]"), "'[red]a[/red]' cannot name a method"),
        (method(config=3), "must be a class on `onlay.config.base.Config`"),
        (method(config=Named), "must have `name: Literal["),
        (method(attach=print), "`attach` of the method `linear` must be `str`"),
        (method(summary=None), "`summary` of the method `linear` must be `str`, not `NoneType`"),
        (method(needs="grid"), "`needs` of the method `linear` must be `frozenset[str]`"),
        (method(needs=[1]), "`needs` of the method `linear` must be `frozenset[str]`, not `list`"),
        (method(presets={"a": 1}), "`presets` of the method `linear` must be `Mapping["),
        (method(examples="rank"), "`examples` of the method `linear` must be `Sequence["),
        (method(count=12), "`count` of the method `linear` must be `str | None`, not `int`"),
    ],
)
def test_a_descriptor_that_is_none_breaks_its_plugin_alone(descriptor: Any, reason: str) -> None:
    class Bad:
        @hookimpl
        def register_methods(self) -> Any:
            return [descriptor]

    class Good:
        @hookimpl
        def register_methods(self) -> Any:
            return [method(needs={"grid"})]

    host = PluginHost()
    record = host.add(Bad(), name="bad")
    host.add(Good(), name="good")
    assert list(host.methods) == ["linear"]
    assert record.status == "broken"
    assert reason in record.reason


def test_what_a_modality_holds_is_one_of_the_words_there_are() -> None:
    class Words:
        def __init__(self, values: Any) -> None:
            self.values = values

        @hookimpl
        def register_modalities(self) -> Any:
            yield Modality(name="x", reader="a:b", suffixes={".x"}, summary="", values=self.values)

    good, bad = PluginHost(), PluginHost()
    good.add(Words("ids"), name="x")
    record = bad.add(Words("bytes"), name="x")
    assert (list(good.modalities), list(bad.modalities)) == (["x"], [])
    assert "`values` of the modality `x` must be" in record.reason
    assert "not `'bytes'`" in record.reason


def test_every_kind_is_looked_at() -> None:
    class Bad:
        @hookimpl
        def register_exporters(self) -> Any:
            yield Exporter(name="x", modality="image", export="a:b", summary="", partial=None)  # type: ignore[arg-type]

        @hookimpl
        def register_commands(self) -> Any:
            yield Command(name="x", command=print, summary="")  # type: ignore[arg-type]

    for ask, field in (("commands", "command"), ("exporters", "partial")):
        host = PluginHost()
        record = host.add(Bad(), name="bad")
        assert not getattr(host, ask)
        assert f"`{field}` of the {ask[:-1]} `x` must be " in record.reason


def test_a_plugin_that_is_added_twice_still_works() -> None:
    class Good:
        @hookimpl
        def register_methods(self) -> Any:
            return [method()]

    host, plugin = PluginHost(), Good()
    first, second = host.add(plugin, name="good"), host.add(plugin, name="good")
    assert (first.status, second.status) == ("ok", "broken")
    assert list(host.methods) == ["linear"]


# --- what is printed

TALKS = """
    import os, subprocess, sys
    print("python's print")
    sys.__stdout__.write("the first stdout")
    os.write(1, b"the descriptor")
    subprocess.run([sys.executable, "-c", "print('a child')"], check=True)
    sys.stdout = open(os.devnull, "w")
"""
IN_C = """
    import ctypes, os
    ctypes.CDLL(None if os.name == "posix" else "ucrtbase").puts(b"a library in C")
"""


def test_what_a_plugin_prints_at_import_is_no_answer(site: Install, tmp_path: Path) -> None:
    """In a process of its own, whose stdout is a pipe: there C holds back what it prints."""
    site("ant", TALKS)
    site("bee", IN_C)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    words = [sys.executable, "-m", "onlay", "plugins", "--json"]
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=True)
    status = {row["name"]: row["status"] for row in json.loads(done.stdout)}
    assert (status["ant"], status["bee"]) == ("ok", "ok")
    for said in ("print", "the first stdout", "the descriptor", "a child", "a library in C"):
        assert said in done.stderr


def test_what_a_module_prints_that_is_imported_when_it_is_used_is_no_answer(
    site: Install, capfd: pytest.CaptureFixture[str]
) -> None:
    site("ant", "print('loud'); attach = len")
    loud = method(name="linear", attach="dist_ant_module:attach")

    class Plugin:
        @hookimpl
        def register_methods(self) -> Any:
            return [loud]

    host = PluginHost()
    host.add(Plugin(), name="late")
    assert host.load("method", "linear", "attach") is len
    print("an answer")
    assert capfd.readouterr() == ("an answer\n", "loud\n")


def test_the_last_of_several_threads_gives_stdout_back(capfd: pytest.CaptureFixture[str]) -> None:
    entered, may_leave = threading.Event(), threading.Event()

    def other() -> None:
        with stdout_to_stderr:
            entered.set()
            may_leave.wait(10)

    before, thread = sys.stdout, threading.Thread(target=other)
    with stdout_to_stderr:
        thread.start()
        assert entered.wait(10)
    os.write(1, b"still aside\n")
    may_leave.set()
    thread.join()
    os.write(1, b"back\n")
    assert sys.stdout is before
    assert capfd.readouterr() == ("back\n", "still aside\n")


@pytest.mark.skipif(os.name != "posix", reason="a shell closes the streams")
@pytest.mark.parametrize(("closed", "said"), [("1>&-", ""), ("2>&-", "full"), ("1>&- 2>&-", "")])
def test_a_stream_may_be_closed(site: Install, tmp_path: Path, closed: str, said: str) -> None:
    site("ant", "import os\ntry: os.write(1, b'loud')\nexcept OSError: pass")
    code = "from onlay import PluginHost; print(*PluginHost.discover(only='ant').methods)"
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    words = ["sh", "-c", f'"{sys.executable}" -c "{code}" {closed}']
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert "loud" not in done.stdout


# --- what takes long


def test_a_plugin_that_one_waits_for_is_named(
    site: Install, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PATIENCE", 0.05)
    site("ant", "import time; time.sleep(0.5)")
    PluginHost.discover(only="ant")
    assert "waiting for the plugin `dist-ant 1.5`" in capsys.readouterr().err
    monkeypatch.setattr(streams, "PATIENCE", 60)
    sys.modules.pop("dist_ant_module")
    PluginHost.discover(only="ant")
    assert capsys.readouterr() == ("", "")
