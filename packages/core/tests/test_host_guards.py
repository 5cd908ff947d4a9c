"""A plugin that is bad breaks alone, and what it says is passed on."""

from __future__ import annotations

import re
import sys
from types import ModuleType

import pytest
from made_up_plugins import method, methods, plugin, raises
from pydantic import create_model

from onlay import PluginHost, hookimpl
from onlay.config.oneof import OneOf
from onlay.errors import ConfigError, PluginError
from onlay.methods.config import LinearConfig
from onlay.settings import Config


def half_way():
    yield method("half")
    raise RuntimeError("no more")


def misnamed():
    return [method("a", config=LinearConfig)]


def twice():
    return [method("a"), method("a")]


@pytest.mark.parametrize(
    ("functions", "reason"),
    [
        ({"register_methods": raises}, r"RuntimeError: the cat .* \(made_up.*, line \d+\)"),
        ({"register_methods": lambda: ["arc"]}, "as `onlay.descriptors.Method`, not `str`"),
        ({"register_methods": lambda: None}, "TypeError: 'NoneType' object is not iterable"),
        ({"register_methods": misnamed}, "the configuration of the method `a` must have `name: "),
        ({"register_methods": twice}, "the method `a` is registered twice"),
        (
            {"register_metods": raises},
            "unknown hook `register_metods`; did you mean `register_methods`?",
        ),
        ({"step_finished": lambda model, weather: None}, "weather"),
    ],
)
def test_a_bad_plugin_is_broken_with_its_reason_and_the_others_work(functions, reason):
    host = PluginHost()
    host.add(plugin(register_methods=methods("good")), name="good")
    bad = host.add(plugin(**functions), name="bad")
    assert list(host.methods) == ["good"]
    assert bad.status == "broken"
    assert host.plugins[0] is bad
    assert re.search(reason, bad.reason)


def test_nothing_of_a_plugin_that_fails_half_way_is_used():
    host = PluginHost()
    host.add(
        plugin(register_methods=half_way, register_tasks=methods()), name="half", version="2.0"
    )
    assert "half" not in host.methods
    with pytest.raises(
        PluginError, match=r"method `half` needs the plugin `half 2.0`.*no more"
    ) as told:
        host.find("method", "half")
    assert isinstance(told.value.__cause__, RuntimeError)


def test_a_hook_that_wraps_others_is_refused():
    @hookimpl(wrapper=True)
    def config_resolved(config):
        return (yield)

    module = ModuleType("wraps")
    module.config_resolved = config_resolved
    assert "take no wrappers" in PluginHost().add(module, name="wraps").reason


def test_a_tell_that_fails_names_the_plugin_and_keeps_the_cause():
    def config_resolved(config):
        raise KeyError("colour")

    host = PluginHost()
    host.add(plugin(config_resolved=config_resolved), name="painter", version="3.1")
    with pytest.raises(
        PluginError, match=r"`painter 3.1` failed in `config_resolved`: KeyError"
    ) as told:
        host.config_resolved(None)
    assert isinstance(told.value.__cause__, KeyError)


def test_what_a_plugin_says_to_the_user_is_passed_on_as_it_is():
    def config_resolved(config):
        raise ConfigError("use rank 8")

    host = PluginHost()
    host.add(plugin(config_resolved=config_resolved), name="strict")
    with pytest.raises(ConfigError, match=r"^use rank 8$"):
        host.config_resolved(None)


def test_the_first_that_decides_is_asked_first_and_trylast_last():
    asked = []

    def voter(name, answer):
        def make_optimizer(groups):
            asked.append(name)
            return answer

        return make_optimizer

    last = ModuleType("last")
    last.make_optimizer = hookimpl(voter("core", "default"), trylast=True)
    host = PluginHost()
    host.add(plugin(make_optimizer=voter("undecided", None)), name="undecided")
    host.add(last, name="core")
    assert host.make_optimizer([], None) == "default"
    assert asked == ["undecided", "core"]
    host.add(plugin(make_optimizer=voter("sure", "mine")), name="sure")
    assert host.make_optimizer([], None) == "mine"
    assert asked[2:] == ["sure"]


def test_a_configuration_may_be_an_import_path_that_is_followed_when_it_is_used(monkeypatch):
    later = ModuleType("later")
    given = method("later", config="later:LaterConfig")
    host = PluginHost()
    host.add(plugin(register_methods=lambda: [given]), name="later")
    assert list(host.methods) == ["later"], "listing follows no path"
    later.LaterConfig = create_model("LaterConfig", __base__=Config, name=(str, "later"))
    monkeypatch.setitem(sys.modules, "later", later)
    assert issubclass(host.find("method", "later").config, later.LaterConfig)
    assert list(OneOf("method").configs(host)) == ["later"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("no_such_module:LaterConfig", "No module named 'no_such_module'"),
        ("onlay.methods.config:LaterConfig", "has no attribute 'LaterConfig'"),
        ("onlay.methods.config:LinearConfig", "must have `name: Literal"),
    ],
)
def test_a_configuration_path_that_leads_nowhere_breaks_the_plugin(path, reason):
    host = PluginHost()
    late = plugin(register_methods=lambda: [method("later", config=path), method("sound")])
    host.add(late, name="late", version="1.0")
    host.add(plugin(register_methods=methods("good")), name="good")
    with pytest.raises(PluginError, match=r"method `later` needs the plugin `late 1\.0`") as told:
        host.find("method", "later")
    assert reason in str(told.value)
    assert list(OneOf("method").configs(host)) == ["good"]
    assert {r.name: r.status for r in host.plugins} == {"late": "broken", "good": "ok"}
