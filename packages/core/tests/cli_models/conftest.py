"""A tiny modality, a model of it, its bundle and files."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from click.testing import CliRunner
from tiny_modality import (
    LABELS,
    ShiftConfig,
    SquashConfig,
    TinyConfig,
    attach,
    attach_squash,
    build,
    export,
    provides,
    read_foreign,
    reader,
)

from onlay import PluginHost, adapt, hookimpl
from onlay.cli import main
from onlay.descriptors import Backbone, Exporter, Method, Modality
from onlay.host import builtin


@pytest.fixture
def host(monkeypatch):
    fake = ModuleType("fake")
    for function in (attach, attach_squash, build, provides, reader, export, read_foreign):
        setattr(fake, function.__name__, function)
    fake.register_methods = hookimpl(
        lambda: [
            Method(
                name="shift",
                config=ShiftConfig,
                attach="fake:attach",
                importer="fake:read_foreign",
                summary="shifts",
            ),
            Method(
                name="squash", config=SquashConfig, attach="fake:attach_squash", summary="squashes"
            ),
        ]
    )
    fake.register_backbones = hookimpl(
        lambda: [
            Backbone(
                name="tiny",
                config=TinyConfig,
                build="fake:build",
                modality="image",
                provides="fake:provides",
                summary="tiny",
            )
        ]
    )
    fake.register_modalities = hookimpl(
        lambda: [
            Modality(
                name="image", reader="fake:reader", suffixes=frozenset({".seed"}), summary="seeds"
            )
        ]
    )
    fake.register_exporters = hookimpl(
        lambda: [
            Exporter(name="trunk", modality="image", export="fake:export", summary="the trunk")
        ]
    )
    monkeypatch.setitem(sys.modules, "fake", fake)
    host = PluginHost()
    host.add(builtin, name="core", distribution="onlay", version="0.2.0")
    assert host.add(fake, name="fake", version="1.0").reason == ""
    return host


@pytest.fixture
def onlay(host):
    def run(*args):
        return CliRunner().invoke(main, [str(a) for a in args], prog_name="onlay", obj=host)

    return run


@pytest.fixture
def model(host):
    return adapt("tiny", "shift", labels=LABELS, preprocessing={"scale": 2.0}, host=host)


@pytest.fixture
def bundle(model, tmp_path):
    return model.save_pretrained(tmp_path / "run" / "bundle")
