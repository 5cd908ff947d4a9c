"""None"""

from __future__ import annotations

import sys
from textwrap import dedent
from types import ModuleType

import pytest
from found_plugins import found

from onlay import PluginHost
from onlay.descriptors import resolve
from onlay.errors import ConfigError, PluginError, UnknownName

TELLER = """
    from onlay import hookimpl
    import order

    @hookimpl
    def config_resolved(config):
        order.heard.append("{name}")
"""


def test_plugins_are_called_by_name_whatever_the_file_system_says(site):
    sys.modules["order"] = ModuleType("order")
    sys.modules["order"].heard = heard = []
    for name in ("mole", "ant", "zebra"):
        site(name, TELLER.format(name=name))
    PluginHost.discover(only="mole,ant,zebra").config_resolved(None)
    assert heard == ["ant", "mole", "zebra"]


@pytest.mark.parametrize(
    ("only", "off"),
    [
        ("ant", {"mole"}),
        ("-ant", {"ant"}),
        ("dist-ant", {"mole"}),
        (" ant , mole ", set()),
        ("-ant,-mole", {"ant", "mole"}),
        ("", set()),
        ("-nobody", set()),
    ],
)
def test_switching_plugins_off(site, monkeypatch, only, off):
    for name in ("mole", "ant"):
        site(name, "raise RuntimeError('imported')")
    monkeypatch.setenv("ONLAY_PLUGINS", only)
    host = PluginHost.discover()
    assert {name for name, record in found(host).items() if record.status == "off"} == off
    assert {r.status for r in found(host).values()} <= {"off", "broken"}, "the rest was imported"
    assert "linear" in host.methods, "core is always on"


@pytest.mark.parametrize(
    ("only", "error", "sentence"),
    [
        ("ant,-mole", ConfigError, "mixes names to load and names to leave out"),
        ("amt", UnknownName, "no plugin `amt` is installed"),
    ],
)
def test_a_wrong_switch_is_refused(site, only, error, sentence):
    site("ant", "")
    with pytest.raises(error, match=sentence):
        PluginHost.discover(only=only)


def test_a_name_of_a_plugin_that_is_off_says_so(site):
    site("arc", "", distribution="onlay-arc")
    host = PluginHost.discover(only="-arc")
    with pytest.raises(
        PluginError, match=r"`onlay-arc .*`, which is left out by `ONLAY_PLUGINS=-arc`"
    ):
        host.find("method", "arc")


@pytest.mark.parametrize(
    ("requires", "status"),
    [
        ("onlay>=0.2,<0.3", "ok"),
        ("onlay", "ok"),
        ("Onlay >=0.2", "ok"),
        ("onlay<0.2", "incompatible"),
        ("onlay (>=7)", "incompatible"),
        ("onlay>=7; python_version < '3'", "ok"),
        ("onlay-image>=7", "ok"),
        ("onlay_image>=7", "ok"),
        ("onlay[extra]>=7", "incompatible"),
    ],
)
def test_a_plugin_for_another_core_is_incompatible(site, requires, status):
    site("ant", "", requires=requires)
    assert found(PluginHost.discover())["ant"].status == status


def test_a_plugin_for_another_core_is_not_called_broken(site):
    site("ant", "from onlay import something_new", requires="onlay>=7")
    record = found(PluginHost.discover())["ant"]
    assert record.status == "incompatible"
    assert "`onlay>=7`" in record.reason


def test_a_plugin_that_exits_on_import_takes_nobody_with_it(site):
    site("ant", "raise SystemExit('no licence')")
    record = found(PluginHost.discover())["ant"]
    assert (record.status, record.reason) == (
        "broken",
        "SystemExit: no licence (dist_ant_module.py, line 1)",
    )


# --- plugin files


FILE = """
    from typing import Literal
    from onlay import hookimpl
    from onlay.settings import Config
    from onlay.descriptors import Method

    class ScaleConfig(Config):
        name: Literal["scale"] = "scale"

    def attach(place, config): return "attached"

    @hookimpl
    def register_methods():
        yield Method(name="scale", config=ScaleConfig, attach="{stem}:attach", summary="x")
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(name, code=FILE):
        path = tmp_path / name
        path.write_text(dedent(code.replace("{stem}", path.stem)))
        return path

    yield write
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


def test_a_method_in_a_file_is_a_method(file):
    host = PluginHost.discover(files=[file("scale_method.py")])
    assert resolve(host.find("method", "scale").attach)(None, None) == "attached"
    assert host.owner("method", "scale").distribution == "scale_method.py"
    assert "linear" in host.methods


def test_a_broken_file_is_an_error_with_the_line(file):
    path = file("broken_method.py", "x = 1\ny = z\n")
    with pytest.raises(PluginError, match=r"NameError.*\(broken_method.py, line 2\)") as told:
        PluginHost.discover(files=[path])
    assert isinstance(told.value.__cause__, NameError)


def test_a_file_whose_hook_fails_is_an_error_too(file):
    path = file("failing_method.py", FILE + "        raise OSError('disk on fire')\n")
    with pytest.raises(PluginError, match="disk on fire"):
        PluginHost.discover(files=[path])


def test_a_file_with_the_name_of_a_module_is_refused(file):
    with pytest.raises(ConfigError, match=r"`json\.py` has the name of another module: rename"):
        PluginHost.discover(files=[file("json.py")])


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="no plugin file"):
        PluginHost.discover(files=[tmp_path / "nothing.py"])


def test_a_file_is_found_whatever_another_plugin_makes_the_current_folder(
    site, file, tmp_path, monkeypatch
):
    site("ant", "import os; os.chdir('/')")
    file("scale_method.py")
    monkeypatch.chdir(tmp_path)
    assert "scale" in PluginHost.discover(files=["scale_method.py"]).methods
