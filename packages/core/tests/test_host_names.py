"""Clashes, missing names, import paths, and what an error says to do."""

from __future__ import annotations

import pytest
from made_up_plugins import method, methods, plugin, raises

from onlay import PluginHost, adapt, hookimpl
from onlay.errors import PluginError, UnknownName
from onlay.testing import tiny_backbone

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
