"""A bundle whose method, backbone, task or modality is not installed."""

from __future__ import annotations

import json

import pytest
from changed_bundles import change

import onlay
from onlay.errors import (
    PluginError,
    UnknownName,
)
from onlay.host import PluginHost, builtin
from onlay.model.predict import predict
from onlay.testing import tiny_backbone


def test_a_method_that_is_not_installed_says_what_to_install(bundle):
    change(bundle, method={"name": "arc"})
    alone = PluginHost()  # whatever is installed
    alone.add(builtin, name="core", distribution="onlay", version="0.2.0")
    with pytest.raises(UnknownName, match="pip install --find-links dist onlay-arc"):
        onlay.load(bundle, backbone=tiny_backbone(), host=alone)


@pytest.mark.parametrize(
    ("distribution", "version", "advice"),
    [
        ("acme-lora", "1.2", "it comes with `acme-lora 1.2`: `pip install acme-lora==1.2`"),
        ("lora.py", "", "it comes with a plugin file, `onlay --plugin lora.py`"),
    ],
)
@pytest.mark.parametrize("kind", ["method", "task", "backbone"])
def test_a_name_of_others_that_is_not_installed(bundle, host, kind, distribution, version, advice):
    manifest = json.loads((bundle / "adapter_config.json").read_text())
    unknown = {"name": "theirs", "rank": 3}
    made = {**manifest["packages"], kind: {"distribution": distribution, "version": version}}
    change(bundle, packages=made)
    if kind == "backbone":
        change(bundle, backbone={**manifest["backbone"], "source": unknown})
    else:
        change(bundle, **{kind: unknown})
    with pytest.raises(UnknownName) as caught:
        onlay.load(bundle, host=host)
    needs = f"needs the {kind} `theirs`, which is not installed: {advice}"
    assert str(caught.value) == f"the bundle `{bundle}` {needs}"


def test_a_modality_of_others_that_is_not_installed(bundle, host, tmp_path):
    """The model works; it is files that nobody can read."""
    change(bundle, packages={"modality": {"distribution": "acme-sound", "version": "2.0"}})
    built = tiny_backbone()
    built.modality = "sound"
    model = onlay.load(bundle, backbone=built, host=host)
    with pytest.raises(UnknownName) as caught:
        next(iter(predict(model, [tmp_path], host)))
    assert str(caught.value) == (
        "the adapter needs the modality `sound`, which is not installed: "
        "it comes with `acme-sound 2.0`: `pip install acme-sound==2.0`"
    )


def test_a_package_of_others_that_is_broken_is_not_to_be_installed_again(bundle, host):
    class Broken:
        @onlay.hookimpl
        def register_methods(self):
            raise OSError("disk on fire")

    host.add(Broken(), name="acme", distribution="acme-lora", version="1.2")
    change(bundle, method={"name": "theirs"})
    change(bundle, packages={"method": {"distribution": "acme-lora", "version": "1.2"}})
    message = "method `theirs` needs the plugin `acme-lora 1.2`, which is broken: OSError: disk on"
    with pytest.raises(PluginError, match=message) as caught:
        onlay.load(bundle, host=host)
    assert isinstance(caught.value.__cause__, OSError)
