"""The command line over a made-up plugin."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from click.testing import CliRunner
from twist import (
    crash,
    hello,
    interrupt,
    read_long,
    read_ours,
    refuse,
    register_commands,
    register_methods,
)

from onlay import PluginHost, hookimpl
from onlay.cli import main
from onlay.host import builtin


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
