"""Plugins that misbehave in every way known: each is listed with its reason, and all else works."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest
import torch

import onlay as library
from onlay import PluginHost
from onlay.errors import PluginError
from onlay.testing import tiny_backbone

trains = pytest.mark.skipif(not find_spec("onlay_train"), reason="`onlay-train` is not installed")

HEALTHY = """
    from onlay import hookimpl
    from onlay.settings import Config
    from onlay.descriptors import Method
    from typing import Literal

    class {cls}(Config):
        name: Literal["{method}"] = "{method}"

    @hookimpl
    def register_methods():
        yield Method(name="{method}", config={cls}, attach="nowhere:attach", summary="a test's own")
"""

MISBEHAVING = {
    "import_error": ("import a_module_that_nobody_has", ["a_module_that_nobody_has"]),
    "syntax_error": ("def half(:", ["SyntaxError"]),
    "exits": ("raise SystemExit('no licence')", ["no licence"]),
    "interrupts": ("raise KeyboardInterrupt", ["KeyboardInterrupt"]),
    "mute": (
        """
        class Mute(Exception):
            def __str__(self):
                raise RuntimeError

        raise Mute
        """,
        ["Mute: an error whose text fails with RuntimeError (mute_plugin.py, line 6)"],
    ),
    "nameless": (
        """
        from onlay import hookimpl
        from onlay.descriptors import Method

        @hookimpl
        def register_methods():
            yield Method(name=7, config="a:Config", attach="a:attach", summary="a test's own")
        """,
        ["the name of a method must be text, not `int`"],
    ),
    "wrong_signature": (
        """
        from onlay import hookimpl

        @hookimpl
        def step_finished(model, weather): ...
        """,
        ["step_finished", "weather"],
    ),
    "unknown_hook": (
        """
        from onlay import hookimpl

        @hookimpl
        def register_metods():
            return []
        """,
        ["register_metods", "did you mean `register_methods`?"],
    ),
    "raises": (
        """
        from onlay import hookimpl

        @hookimpl
        def register_methods():
            raise RuntimeError("the cat is on the keyboard")
        """,
        ["the cat is on the keyboard", "raises_plugin.py, line 6"],
    ),
    "wrong_thing": (
        """
        from onlay import hookimpl

        @hookimpl
        def register_methods():
            return ["arc"]
        """,
        ["onlay.descriptors.Method", "`str`"],
    ),
}


def rows(onlay) -> dict[str, dict]:
    result = onlay("plugins", "--json")
    assert result.exit_code == 0, result.output
    return {row["name"]: row for row in json.loads(result.stdout)}


@pytest.mark.parametrize("name", MISBEHAVING)
def test_a_broken_plugin_is_listed_with_its_reason(onlay, fake_plugins, name):
    before = rows(onlay)
    code, clues = MISBEHAVING[name]
    fake_plugins.install(name, code)
    after = rows(onlay)
    broken = after.pop(name)
    assert broken["status"] == "broken"
    assert broken["distribution"] == f"onlay-{name}"
    for clue in clues:
        assert clue in broken["reason"]
    assert after == before, "the other plugins are as they were"
    assert broken["reason"] in onlay("plugins").stdout


def test_show_prints_the_traceback(onlay, fake_plugins):
    fake_plugins.install("raises", MISBEHAVING["raises"][0])
    shown = onlay("plugins", "show", "raises")
    assert shown.exit_code == 0
    assert "Traceback (most recent call last)" in shown.stdout
    assert 'raise RuntimeError("the cat is on the keyboard")' in shown.stdout


def test_help_lives_with_all_of_them_at_once(onlay, fake_plugins):
    for name, (code, _) in MISBEHAVING.items():
        fake_plugins.install(name, code)
    assert onlay("--help").exit_code == 0
    assert onlay("explain", "full").exit_code == 0
    status = {name: row["status"] for name, row in rows(onlay).items()}
    assert {name for name, what in status.items() if what == "broken"} == set(MISBEHAVING)


def test_a_plugin_for_another_core_is_incompatible(onlay, fake_plugins):
    code = HEALTHY.format(cls="Later", method="later")
    fake_plugins.install("later", code, requires="onlay>=7")
    row = rows(onlay)["later"]
    assert row["status"] == "incompatible"
    assert "`onlay>=7`" in row["reason"]
    asked = onlay("explain", "later")
    assert asked.exit_code == 2
    assert "`onlay>=7`" in asked.stderr


@pytest.fixture
def all_kinds(fake_plugins):
    """Every broken plugin, one for another core, and two that claim one name."""
    for name, (code, _) in MISBEHAVING.items():
        fake_plugins.install(name, code)
    later = HEALTHY.format(cls="Later", method="later")
    fake_plugins.install("later", later, requires="onlay>=7")
    for name in ("one", "two"):
        fake_plugins.install(name, HEALTHY.format(cls=name.title(), method="contested"))


def test_what_needs_none_of_them_works(all_kinds):
    model = library.adapt(tiny_backbone(), "bitfit", num_classes=2, host=PluginHost.discover())
    model.loss((model.anatomy.example(2), torch.tensor([0, 1]))).backward()
    assert all(p.grad is not None for p in model.trained_parameters().values())


@trains
def test_a_run_that_needs_none_of_them_is_trained(onlay, all_kinds, tiny_run, tmp_path):
    done = onlay(*tiny_run, f"out={tmp_path / 'run'}")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "run" / "bundle" / "adapter_model.safetensors").exists()


CAUSES = {
    "import_error": ModuleNotFoundError,
    "syntax_error": SyntaxError,
    "exits": SystemExit,
    "interrupts": KeyboardInterrupt,
    "mute": Exception,
    "nameless": TypeError,
    "wrong_signature": Exception,
    "unknown_hook": TypeError,
    "raises": RuntimeError,
    "wrong_thing": TypeError,
    "later": type(None),
    "contested": type(None),
}


@pytest.mark.parametrize("name", CAUSES)
def test_what_needs_one_of_them_fails_with_its_traceback_as_the_cause(all_kinds, name):
    host = PluginHost.discover()
    with pytest.raises(PluginError) as caught:
        library.adapt(tiny_backbone(), name, num_classes=2, host=host)
    assert isinstance(caught.value.__cause__, CAUSES[name])
    culprits = {"contested": ["onlay-one", "onlay-two"]}.get(name, [f"onlay-{name}"])
    assert all(f"`{culprit} 1.0`" in str(caught.value) for culprit in culprits)


@trains
@pytest.mark.parametrize("name", CAUSES)
def test_a_run_that_needs_one_of_them_is_one_sentence(onlay, all_kinds, name, tiny_run, tmp_path):
    done = onlay(*tiny_run, f"method={name}", f"out={tmp_path / 'run'}")
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert "onlay-one" in done.stderr or f"onlay-{name}" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_broken_plugin_that_is_asked_for_is_named(onlay, fake_plugins):
    code = HEALTHY.format(cls="Late", method="late") + '\n    raise OSError("disk on fire")\n'
    fake_plugins.install("late", code)
    asked = onlay("explain", "late")
    assert asked.exit_code == 2
    assert "onlay-late 1.0" in asked.stderr
    assert "disk on fire" in asked.stderr
    assert "Traceback" not in asked.output


def test_two_plugins_that_claim_one_name_are_both_named(onlay, fake_plugins):
    fake_plugins.install("one", HEALTHY.format(cls="One", method="contested"))
    fake_plugins.install("two", HEALTHY.format(cls="Two", method="contested"))
    asked = onlay("explain", "contested")
    assert asked.exit_code == 2
    for word in ("contested", "onlay-one 1.0", "onlay-two 1.0"):
        assert word in asked.stderr
    listed = onlay("plugins")
    assert listed.exit_code == 0
    assert "clash" in listed.stderr
    assert "onlay-two 1.0" in listed.stderr


def test_one_of_the_two_can_be_left_out(onlay, fake_plugins, monkeypatch):
    fake_plugins.install("one", HEALTHY.format(cls="One", method="contested"))
    fake_plugins.install("two", HEALTHY.format(cls="Two", method="contested"))
    monkeypatch.setenv("ONLAY_PLUGINS", "-two")
    assert onlay("explain", "contested").exit_code == 0
    assert rows(onlay)["two"]["status"] == "off"
