"""Whatever a plugin's code raises."""

from __future__ import annotations

import json
import signal
import sys
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result
from plugin_statuses import Install
from torch.nn import Linear

from onlay import PluginHost, hookimpl
from onlay.cli import main
from onlay.descriptors import Backbone, resolve
from onlay.errors import PluginError
from onlay.machine.guard import guarded, in_words, shown
from onlay.model.adopting import adopted
from onlay.settings import Config
from onlay.testing import tiny_backbone


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
