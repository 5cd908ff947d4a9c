"""Whatever a plugin registers."""

from __future__ import annotations

from typing import Any

import pytest
from plugin_statuses import method

from onlay import PluginHost, hookimpl
from onlay.descriptors import Command, Exporter, Modality
from onlay.settings import Config

# --- what is registered


class Named(Config):
    """A configuration without a name of its own."""


@pytest.mark.parametrize(
    ("descriptor", "reason"),
    [
        (method(name=7), "the name of a method must be text, not `int`"),
        (method(name=None), "the name of a method must be text, not `NoneType`"),
        (method(name=b"arc"), "the name of a method must be text, not `bytes`"),
        (method(name=["a"]), "the name of a method must be text, not `list`"),
        (method(name=""), "'' cannot name a method: use letters, digits, "),
        (method(name="two words"), "'two words' cannot name a method"),
        (method(name="-x"), "'-x' cannot name a method"),
        (method(name="a\n\x1b[31mb"), r"'a\n\x1b[31mb' cannot name a method"),
        (method(name="[red]a[/red]"), "'[red]a[/red]' cannot name a method"),
        (method(config=3), "must be a class on `onlay.settings.Config`"),
        (method(config=Named), "must have `name: Literal["),
        (method(attach=print), "`attach` of the method `linear` must be `str`"),
        (method(summary=None), "`summary` of the method `linear` must be `str`, not `NoneType`"),
        (method(needs="grid"), "`needs` of the method `linear` must be `frozenset[str]`"),
        (method(needs=[1]), "`needs` of the method `linear` must be `frozenset[str]`, not `list`"),
        (method(presets={"a": 1}), "`presets` of the method `linear` must be `Mapping["),
        (method(examples="rank"), "`examples` of the method `linear` must be `Sequence["),
        (method(count=12), "`count` of the method `linear` must be `str | None`, not `int`"),
    ],
)
def test_a_descriptor_that_is_none_breaks_its_plugin_alone(descriptor: Any, reason: str) -> None:
    class Bad:
        @hookimpl
        def register_methods(self) -> Any:
            return [descriptor]

    class Good:
        @hookimpl
        def register_methods(self) -> Any:
            return [method(needs={"grid"})]

    host = PluginHost()
    record = host.add(Bad(), name="bad")
    host.add(Good(), name="good")
    assert list(host.methods) == ["linear"]
    assert record.status == "broken"
    assert reason in record.reason


def test_what_a_modality_holds_is_one_of_the_words_there_are() -> None:
    class Words:
        def __init__(self, values: Any) -> None:
            self.values = values

        @hookimpl
        def register_modalities(self) -> Any:
            yield Modality(name="x", reader="a:b", suffixes={".x"}, summary="", values=self.values)

    good, bad = PluginHost(), PluginHost()
    good.add(Words("ids"), name="x")
    record = bad.add(Words("bytes"), name="x")
    assert (list(good.modalities), list(bad.modalities)) == (["x"], [])
    assert "`values` of the modality `x` must be" in record.reason
    assert "not `'bytes'`" in record.reason


def test_every_kind_is_looked_at() -> None:
    class Bad:
        @hookimpl
        def register_exporters(self) -> Any:
            yield Exporter(name="x", modality="image", export="a:b", summary="", partial=None)  # type: ignore[arg-type]

        @hookimpl
        def register_commands(self) -> Any:
            yield Command(name="x", command=print, summary="")  # type: ignore[arg-type]

    for ask, field in (("commands", "command"), ("exporters", "partial")):
        host = PluginHost()
        record = host.add(Bad(), name="bad")
        assert not getattr(host, ask)
        assert f"`{field}` of the {ask[:-1]} `x` must be " in record.reason


def test_a_plugin_that_is_added_twice_still_works() -> None:
    class Good:
        @hookimpl
        def register_methods(self) -> Any:
            return [method()]

    host, plugin = PluginHost(), Good()
    first, second = host.add(plugin, name="good"), host.add(plugin, name="good")
    assert (first.status, second.status) == ("ok", "broken")
    assert list(host.methods) == ["linear"]
