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


def exporter(name: str, *suffixes: str, modality: str = "image") -> Exporter:
    return Exporter(
        name=name, modality=modality, export="x:y", summary=name, suffixes=frozenset(suffixes)
    )


@pytest.fixture
def host() -> PluginHost:
    """A modality with its own exporter, and an exporter of somebody else's."""
    own, other = ModuleType("own"), ModuleType("other")
    modality = Modality(name="image", reader="x:y", suffixes=frozenset({".png"}), summary="i")
    own.register_modalities = hookimpl(function(modality, "register_modalities"))
    own.register_exporters = hookimpl(
        function(exporter("timm", ".safetensors"), "register_exporters")
    )
    other.register_exporters = hookimpl(function(exporter("onnx", ".onnx"), "register_exporters"))
    host = PluginHost()
    host.add(own, name="own", distribution="own-image", version="1")
    host.add(other, name="other", distribution="other", version="1")
    return host


def function(descriptor: object, name: str) -> object:
    def answer() -> list[object]:
        return [descriptor]

    answer.__name__ = name
    return answer


@pytest.mark.parametrize(
    ("out", "name", "chosen"),
    [
        ("m.onnx", None, "onnx"),
        ("M.ONNX", None, "onnx"),
        ("m.safetensors", None, "timm"),
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
        " says; leave the suffix out or take another (have: `onnx` `.onnx`, `timm` `.safetensors`)"
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
