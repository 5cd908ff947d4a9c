"""What the plugin registers, and what it costs to ask."""

from __future__ import annotations

import subprocess
import sys

import pytest

from onlay.descriptors import resolve
from onlay.host import PluginHost


@pytest.fixture(scope="module")
def host() -> PluginHost:
    return PluginHost.discover(only="image")


def test_what_is_registered(host: PluginHost) -> None:
    assert {"timm", "onlay_vit_64"} <= set(host.backbones)
    assert {"image_folder", "image_csv", "shards", "parquet", "vtab", "fgvc", "digits"} <= set(
        host.datasets
    )
    assert host.modalities["image"].suffixes >= {".jpg", ".png"}
    assert host.exporters["timm"].modality == "image"


def test_every_import_path_leads_somewhere(host: PluginHost) -> None:
    paths = [host.modalities["image"].reader, host.exporters["timm"].export]
    for backbone in (host.backbones["timm"], host.backbones["onlay_vit_64"]):
        paths += [path for path in (backbone.build, backbone.provides, backbone.adopt) if path]
    for name in ("image_folder", "image_csv", "shards", "parquet", "vtab", "fgvc", "digits"):
        paths.append(host.datasets[name].build)
    assert all(callable(resolve(path)) for path in paths)


def test_registering_and_telling_traits_imports_nothing_heavy() -> None:
    code = """
import sys
from onlay.descriptors import resolve
from onlay.host import PluginHost
host = PluginHost.discover(only="image")
timm = host.backbones["timm"]
resolve(timm.provides)(timm.config(model="swin_tiny_patch4_window7_224.ms_in1k"))
host.datasets, host.modalities, host.exporters
heavy = {"torch", "timm", "torchvision", "numpy", "sklearn", "PIL"}
sys.exit(f"imported: {heavy & set(sys.modules)}" if heavy & set(sys.modules) else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
