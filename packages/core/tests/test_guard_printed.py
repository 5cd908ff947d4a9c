"""Whatever a plugin prints, and how long it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from plugin_statuses import Install, method

from onlay import PluginHost, hookimpl
from onlay.errors import OnlayError
from onlay.machine.streams import stdout_to_stderr

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
    monkeypatch.setenv("ONLAY_PATIENCE", "0.05")
    site("ant", "import time; time.sleep(0.5)")
    PluginHost.discover(only="ant")
    assert "waiting for the plugin `dist-ant 1.5`" in capsys.readouterr().err
    monkeypatch.setenv("ONLAY_PATIENCE", "inf")
    sys.modules.pop("dist_ant_module")
    PluginHost.discover(only="ant")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("ONLAY_PATIENCE", "long")
    with pytest.raises(OnlayError, match="`ONLAY_PATIENCE=long` is no number: set it to"):
        PluginHost.discover(only="ant")
