"""Which exporter `onlay merge` takes: by name, by the suffix of what is written, by its home."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from onlay.cli.exporters import choose
from onlay.descriptors import Exporter, Modality
from onlay.errors import ConfigError
from onlay.hooks import hookimpl
from onlay.host import PluginHost


def exporter(name: str, *suffixes: str, partial: bool = False) -> Exporter:
    found = frozenset(suffixes)
    return Exporter(
        name=name, modality="image", export="x:y", summary=name, suffixes=found, partial=partial
    )


@pytest.fixture
def host() -> PluginHost:
    """A modality with exporters of its own, and an exporter of somebody else's."""
    own, other = ModuleType("own"), ModuleType("other")
    modality = Modality(name="image", reader="x:y", suffixes=frozenset({".png"}), summary="i")
    own.register_modalities = hookimpl(function("register_modalities", modality))
    own.register_exporters = hookimpl(
        function(
            "register_exporters",
            exporter("program", ".pt2", partial=True),
            exporter("timm", ".safetensors"),
        )
    )
    other.register_exporters = hookimpl(function("register_exporters", exporter("onnx", ".onnx")))
    host = PluginHost()
    host.add(own, name="own", distribution="own-image", version="1")
    host.add(other, name="other", distribution="other", version="1")
    return host


def function(name: str, *descriptors: object) -> object:
    def answer() -> list[object]:
        return list(descriptors)

    answer.__name__ = name
    return answer


@pytest.mark.parametrize(
    ("out", "name", "chosen"),
    [
        ("m.onnx", None, "onnx"),
        ("M.ONNX", None, "onnx"),
        ("m.safetensors", None, "timm"),
        ("m.pt2", None, "program"),
        ("folder", None, "timm"),
        ("vit-1.5", None, "timm"),
        ("folder", "onnx", "onnx"),
        ("m.onnx", "onnx", "onnx"),
    ],
)
def test_what_is_chosen(host: PluginHost, out: str, name: str | None, chosen: str) -> None:
    assert choose(host, "image", name, Path(out)).name == chosen


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".tflite", ".Bin"])
def test_a_suffix_that_nothing_writes(host: PluginHost, suffix: str) -> None:
    with pytest.raises(ConfigError) as error:
        choose(host, "image", None, Path(f"m{suffix}"))
    assert str(error.value) == (
        f"`timm` does not write `{suffix.lower()}` files, so `m{suffix}` would not be what its name"
        " says; leave the suffix out or take another (have: `onnx` `.onnx`, `program` `.pt2`,"
        " `timm` `.safetensors`)"
    )


def test_a_suffix_of_another_format_than_the_one_that_is_named(host: PluginHost) -> None:
    with pytest.raises(ConfigError, match=r"`timm` does not write `\.onnx` files"):
        choose(host, "image", "timm", Path("m.onnx"))


def test_a_modality_that_nothing_exports(host: PluginHost) -> None:
    with pytest.raises(
        ConfigError, match="no installed plugin writes merged sound models to files"
    ):
        choose(host, "sound", None, Path("m"))
    with pytest.raises(ConfigError, match="`timm` is not for sound models"):
        choose(host, "sound", "timm", Path("m"))
