"""Plugins that misbehave in every way known: each is listed with its reason, and all else works."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest
import torch

import inlay as library
from inlay import PluginHost
from inlay.errors import PluginError
from inlay.testing import tiny_backbone

trains = pytest.mark.skipif(not find_spec("inlay_train"), reason="`inlay-train` is not installed")

HEALTHY = """
    from inlay import hookimpl
    from inlay.config.base import Config
    from inlay.descriptors import Method
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
    "wrong_signature": (
        """
        from inlay import hookimpl

        @hookimpl
        def step_finished(model, weather): ...
        """,
        ["step_finished", "weather"],
    ),
    "unknown_hook": (
        """
        from inlay import hookimpl

        @hookimpl
        def register_metods():
            return []
        """,
        ["register_metods", "did you mean `register_methods`?"],
    ),
    "raises": (
        """
        from inlay import hookimpl

        @hookimpl
        def register_methods():
            raise RuntimeError("the cat is on the keyboard")
        """,
        ["the cat is on the keyboard", "raises_plugin.py, line 6"],
    ),
    "wrong_thing": (
        """
        from inlay import hookimpl

        @hookimpl
        def register_methods():
            return ["arc"]
        """,
        ["inlay.descriptors.Method", "`str`"],
    ),
}


def rows(inlay) -> dict[str, dict]:
    result = inlay("plugins", "--json")
    assert result.exit_code == 0, result.output
    return {row["name"]: row for row in json.loads(result.stdout)}


@pytest.mark.parametrize("name", MISBEHAVING)
def test_a_broken_plugin_is_listed_with_its_reason(inlay, fake_plugins, name):
    before = rows(inlay)
    code, clues = MISBEHAVING[name]
    fake_plugins.install(name, code)
    after = rows(inlay)
    broken = after.pop(name)
    assert broken["status"] == "broken"
    assert broken["distribution"] == f"inlay-{name}"
    for clue in clues:
        assert clue in broken["reason"]
    assert after == before, "the other plugins are as they were"
    assert broken["reason"] in inlay("plugins").stdout


def test_show_prints_the_traceback(inlay, fake_plugins):
    fake_plugins.install("raises", MISBEHAVING["raises"][0])
    shown = inlay("plugins", "show", "raises")
    assert shown.exit_code == 0
    assert "Traceback (most recent call last)" in shown.stdout
    assert 'raise RuntimeError("the cat is on the keyboard")' in shown.stdout


def test_help_lives_with_all_of_them_at_once(inlay, fake_plugins):
    for name, (code, _) in MISBEHAVING.items():
        fake_plugins.install(name, code)
    assert inlay("--help").exit_code == 0
    assert inlay("explain", "full").exit_code == 0
    status = {name: row["status"] for name, row in rows(inlay).items()}
    assert {name for name, what in status.items() if what == "broken"} == set(MISBEHAVING)


def test_a_plugin_for_another_core_is_incompatible(inlay, fake_plugins):
    code = HEALTHY.format(cls="Later", method="later")
    fake_plugins.install("later", code, requires="inlay>=7")
    row = rows(inlay)["later"]
    assert row["status"] == "incompatible"
    assert "`inlay>=7`" in row["reason"]
    asked = inlay("explain", "later")
    assert asked.exit_code == 2
    assert "`inlay>=7`" in asked.stderr


@pytest.fixture
def all_kinds(fake_plugins):
    """Every broken plugin, one for another core, and two that claim one name."""
    for name, (code, _) in MISBEHAVING.items():
        fake_plugins.install(name, code)
    later = HEALTHY.format(cls="Later", method="later")
    fake_plugins.install("later", later, requires="inlay>=7")
    for name in ("one", "two"):
        fake_plugins.install(name, HEALTHY.format(cls=name.title(), method="contested"))


def test_what_needs_none_of_them_works(all_kinds):
    model = library.adapt(tiny_backbone(), "bitfit", num_classes=2, host=PluginHost.discover())
    model.loss((model.anatomy.example(2), torch.tensor([0, 1]))).backward()
    assert all(p.grad is not None for p in model.trained_parameters().values())


@trains
def test_a_run_that_needs_none_of_them_is_trained(inlay, all_kinds, tiny_run, tmp_path):
    done = inlay(*tiny_run, f"out={tmp_path / 'run'}")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "run" / "bundle" / "adapter_model.safetensors").exists()


CAUSES = {
    "import_error": ModuleNotFoundError,
    "syntax_error": SyntaxError,
    "exits": SystemExit,
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
    culprits = {"contested": ["inlay-one", "inlay-two"]}.get(name, [f"inlay-{name}"])
    assert all(f"`{culprit} 1.0`" in str(caught.value) for culprit in culprits)


@trains
@pytest.mark.parametrize("name", CAUSES)
def test_a_run_that_needs_one_of_them_is_one_sentence(inlay, all_kinds, name, tiny_run, tmp_path):
    done = inlay(*tiny_run, f"method={name}", f"out={tmp_path / 'run'}")
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert "inlay-one" in done.stderr or f"inlay-{name}" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_broken_plugin_that_is_asked_for_is_named(inlay, fake_plugins):
    code = HEALTHY.format(cls="Late", method="late") + '\n    raise OSError("disk on fire")\n'
    fake_plugins.install("late", code)
    asked = inlay("explain", "late")
    assert asked.exit_code == 2
    assert "inlay-late 1.0" in asked.stderr
    assert "disk on fire" in asked.stderr
    assert "Traceback" not in asked.output


def test_two_plugins_that_claim_one_name_are_both_named(inlay, fake_plugins):
    fake_plugins.install("one", HEALTHY.format(cls="One", method="contested"))
    fake_plugins.install("two", HEALTHY.format(cls="Two", method="contested"))
    asked = inlay("explain", "contested")
    assert asked.exit_code == 2
    for word in ("contested", "inlay-one 1.0", "inlay-two 1.0"):
        assert word in asked.stderr
    listed = inlay("plugins")
    assert listed.exit_code == 0
    assert "clash" in listed.stderr
    assert "inlay-two 1.0" in listed.stderr


def test_one_of_the_two_can_be_left_out(inlay, fake_plugins, monkeypatch):
    fake_plugins.install("one", HEALTHY.format(cls="One", method="contested"))
    fake_plugins.install("two", HEALTHY.format(cls="Two", method="contested"))
    monkeypatch.setenv("INLAY_PLUGINS", "-two")
    assert inlay("explain", "contested").exit_code == 0
    assert rows(inlay)["two"]["status"] == "off"
