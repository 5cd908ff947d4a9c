"""The plugin host: guards, order, clashes, files, and what an error says to do."""

from __future__ import annotations

import inspect
import re
import sys
from types import ModuleType

import pytest
from pydantic import create_model

from onlay import PluginHost, adapt, hookimpl, hooks
from onlay.config.base import Config
from onlay.config.oneof import OneOf
from onlay.descriptors import Method, Task, resolve
from onlay.errors import AnatomyError, ConfigError, PluginError, UnknownName
from onlay.methods.config import LinearConfig
from onlay.testing import tiny_backbone

HOOKS = {name: f for name, f in vars(hooks).items() if hasattr(f, "onlay_spec")}


def method(name, **more):
    config = create_model(f"{name}Config", __base__=Config, name=(str, name))
    given = {"config": config, "attach": "nowhere:attach", "summary": "a test's own"}
    return Method(name=name, **given | more)


def plugin(**functions):
    """A module of hook implementations, as an entry point would name it."""
    module = ModuleType("in_memory")
    for name, function in functions.items():
        setattr(module, name, hookimpl(function))
    return module


def methods(*names):
    def register_methods():
        yield from (method(name) for name in names)

    return register_methods


# --- what comes with core


def test_core_comes_through_its_own_door():
    host = PluginHost.discover(only="")
    assert {"full", "linear", "bitfit"} <= set(host.methods)
    assert "classification" in host.tasks
    assert {"plugins", "schema", "explain"} <= set(host.commands)
    assert host.owner("method", "linear").distribution == "onlay"
    assert resolve(host.find("method", "linear").attach).__name__ == "linear"


def test_the_host_has_every_tell_and_decision_with_the_arguments_of_its_hook():
    for name, spec in HOOKS.items():
        if not name.startswith("register_"):
            own = inspect.signature(getattr(PluginHost(), name))
            assert own == inspect.signature(spec), name
    with pytest.raises(TypeError, match="missing a required argument: 'run'"):
        PluginHost().run_failed(error=ValueError())


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_by_its_grammar(name):
    spec = HOOKS[name]
    kind = {"register": "Ask", "make": "Decide"}.get(name.partition("_")[0], "Tell")
    assert inspect.getdoc(spec).startswith(f"{kind}: ")
    assert spec.onlay_spec["firstresult"] is (kind == "Decide")
    for argument in inspect.signature(spec).parameters:
        assert f"`{argument}`" in inspect.getdoc(spec)


@pytest.mark.parametrize("name", [n for n in HOOKS if not n.startswith("register_")])
def test_every_tell_and_decide_reaches_a_plugin_with_its_arguments(name):
    heard = []
    arguments = list(inspect.signature(HOOKS[name]).parameters)
    namespace = {"heard": heard}
    code = f"def {name}({', '.join(arguments)}): heard.append(({', '.join(arguments)},)); return 7"
    exec(code, namespace)
    host = PluginHost()
    assert host.add(plugin(**{name: namespace[name]}), name="ears").status == "ok"
    facts = {argument: object() for argument in arguments}
    answer = getattr(host, name)(**facts)
    assert heard == [tuple(facts.values())]
    assert answer == (7 if name.startswith("make_") else None)


def test_hosts_know_nothing_of_each_other():
    one, two = PluginHost(), PluginHost()
    one.add(plugin(register_methods=methods("mine")), name="mine")
    assert list(one.methods) == ["mine"]
    assert list(two.methods) == []


# --- guards


def raises():
    raise RuntimeError("the cat is on the keyboard")


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
        ({"register_methods": raises}, r"RuntimeError: the cat .* \(test_host.py, line \d+\)"),
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
    assert host.find("method", "later").config is later.LaterConfig
    assert OneOf("method").configs(host) == {"later": later.LaterConfig}


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


# --- names


def test_two_claims_on_one_name_are_an_error_that_names_both():
    host = PluginHost()
    host.add(
        plugin(register_methods=methods("x", "y")), name="one", distribution="d-one", version="1"
    )
    host.add(plugin(register_methods=methods("x")), name="two", distribution="d-two", version="2")
    assert list(host.methods) == ["y"]
    with pytest.raises(PluginError, match=r"claim the method `x`, `d-.* and `d-") as told:
        host.find("method", "x")
    assert "`d-one 1`" in str(told.value)
    assert "`d-two 2`" in str(told.value)
    assert [str(clash) for clash in host.clashes()] == [str(told.value)]
    leave_out = str(told.value).rpartition("ONLAY_PLUGINS=-")[2]
    assert leave_out in ("d-one`", "d-two`")


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [
        ("method", "linaer", "(have: bitfit, full, linear); did you mean `linear`?"),
        (
            "method",
            "dapt",
            "it comes with `onlay-dapt`: in a clone of Onlay `hatch",
        ),
        ("method", "zzz", "no method `zzz` is installed (have: bitfit, full, linear)"),
        ("backbone", "point_mae", "pip install --find-links dist onlay-pointcloud`"),
        ("backbone", "vit_base_patch16_224.mae", "pip install --find-links dist onlay-image`"),
        ("command", "eval", "`eval` needs `onlay-train`: in a clone of Onlay"),
        ("command", "trian", "did you mean `train`?"),
    ],
)
def test_a_missing_name_says_what_to_do(kind, name, sentence):
    from onlay.host import builtin

    host = PluginHost()
    host.add(builtin, name="core", distribution="onlay")
    with pytest.raises(UnknownName) as told:
        host.find(kind, name)
    assert sentence in str(told.value)


def test_an_unknown_name_points_at_broken_plugins():
    host = PluginHost()
    host.add(plugin(register_methods=raises), name="foo", version="1.0")
    with pytest.raises(UnknownName, match=r"`foo 1\.0` cannot be used and may bring it"):
        host.find("method", "unheard_of")
    with pytest.raises(PluginError, match="the cat is on the keyboard"):
        host.find("method", "foo")


# --- import paths


def lazy(path):
    """A host with a method whose `attach` is at an import path."""
    host = PluginHost.discover(only="")
    one = plugin(register_methods=lambda: [method("late", attach=path)])
    host.add(one, name="late", distribution="acme-late", version="2.0")
    return host


def test_an_import_path_is_followed_when_it_is_used():
    assert lazy("math:hypot").load("method", "late", "attach")(3, 4) == 5


def test_an_import_that_fails_names_the_plugin_and_has_its_traceback_as_the_cause():
    host = lazy("a_module_that_nobody_has:attach")
    with pytest.raises(PluginError) as caught:
        adapt(tiny_backbone(), "late", num_classes=2, host=host)
    assert str(caught.value).startswith(
        "plugin `acme-late 2.0` failed in `a_module_that_nobody_has:attach`: ModuleNotFoundError"
    )
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_an_adapter_that_a_plugin_refuses_is_taken_off():
    class Refuses:
        @hookimpl
        def adapter_attached(self, model):
            raise ValueError("not this one")

    host, backbone = PluginHost.discover(only=""), tiny_backbone()
    host.add(Refuses(), name="refuses")
    with pytest.raises(PluginError, match="plugin `refuses` failed in `adapter_attached`"):
        adapt(backbone, "bitfit", num_classes=2, host=host)
    assert adapt(backbone, "bitfit", num_classes=2, host=PluginHost.discover(only=""))


# --- fit


def test_what_a_method_needs_and_refuses():
    from onlay.host.fit import check_fit

    picky = method("picky", needs=frozenset({"grid"}), refuses={"hierarchical": "widths differ"})
    check_fit(picky, frozenset({"grid", "sequence"}), {}, "vit")
    with pytest.raises(
        AnatomyError,
        match=r"`picky` needs a backbone that provides `grid`, and `points` provides `sequence`$",
    ):
        check_fit(picky, frozenset({"sequence"}), {}, "points")
    with pytest.raises(AnatomyError, match="provides nothing: clouds have no rows"):
        check_fit(picky, frozenset(), {"grid": "clouds have no rows"}, "points")
    with pytest.raises(AnatomyError, match="`picky` cannot run on `swin`: widths differ"):
        check_fit(picky, frozenset({"grid", "hierarchical"}), {}, "swin")


def points_task():
    config, needs = method("parts").config, frozenset({"points"})
    return Task(name="parts", config=config, build="nowhere:build", summary="x", needs=needs)


def test_what_a_task_needs():
    from onlay.host.fit import check_fit

    check_fit(points_task(), frozenset({"points", "sequence"}), {}, "cloud")
    with pytest.raises(
        AnatomyError,
        match="task `parts` needs a backbone that provides `points`, and `vit` provides `grid`",
    ):
        check_fit(points_task(), frozenset({"grid"}), {}, "vit")


def test_a_task_that_does_not_fit_is_refused_before_its_head_is_built():
    host = PluginHost.discover(only="")
    host.add(plugin(register_tasks=lambda: [points_task()]), name="parts")
    with pytest.raises(AnatomyError, match="task `parts` needs a backbone that provides `points`"):
        adapt(tiny_backbone(), "linear", task="parts", num_classes=2, host=host)
