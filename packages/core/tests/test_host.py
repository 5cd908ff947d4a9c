"""The plugin host: what comes with core, and hooks."""

from __future__ import annotations

import inspect

import pytest
from made_up_plugins import method, methods, plugin

from onlay import PluginHost, adapt, hooks
from onlay.descriptors import Task, resolve
from onlay.errors import AnatomyError
from onlay.testing import tiny_backbone

HOOKS = {name: f for name, f in vars(hooks).items() if hasattr(f, "onlay_spec")}


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


def refusal(config, provides):
    return "" if "grid" in provides else f"`method.rank` {config} needs a map"


def test_what_a_method_refuses_by_its_settings():
    from onlay.host.fit import check_fit

    picky = method("picky", refusal=f"{__name__}:refusal")
    check_fit(picky, frozenset({"grid"}), {}, "vit", 3)
    check_fit(picky, frozenset(), {}, "points")  # settings are not known
    with pytest.raises(
        AnatomyError, match=r"method `picky` cannot run on `points`: `method\.rank` 3 needs a map$"
    ):
        check_fit(picky, frozenset(), {}, "points", 3)


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
