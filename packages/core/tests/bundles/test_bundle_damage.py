"""Every way in which a manifest can be wrong."""

from __future__ import annotations

import json
import random

import pytest
from changed_bundles import change
from touch_modality import Tactile

import onlay
from onlay.bundle import read_manifest
from onlay.errors import (
    BundleError,
    OnlayError,
)
from onlay.host import PluginHost, builtin
from onlay.model.preprocessing import reader
from onlay.testing import tiny_backbone


def test_a_newer_format_is_refused_in_words(bundle, host):
    change(bundle, format_version=2)
    with pytest.raises(BundleError, match=r"newer Onlay \(format 2; this one reads 1\)"):
        onlay.load(bundle, host=host)


def test_a_peft_adapter_is_recognised(bundle, host):
    (bundle / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 8}')
    with pytest.raises(BundleError, match="describes a PEFT adapter"):
        onlay.load(bundle, host=host)


@pytest.mark.parametrize("text", ["", "{", "[]", '"bundle"'])
def test_a_damaged_config_is_refused(bundle, host, text):
    (bundle / "adapter_config.json").write_text(text)
    with pytest.raises(BundleError, match=r"adapter_config.json` "):
        onlay.load(bundle, host=host)


def test_a_missing_field_is_named(bundle, host):
    path = bundle / "adapter_config.json"
    data = json.loads(path.read_text())
    del data["labels"]
    path.write_text(json.dumps(data))
    with pytest.raises(BundleError, match="is damaged: `labels`"):
        onlay.load(bundle, host=host)


def test_a_manifest_changed_by_hand_is_refused_until_it_is_confirmed(bundle, images, host):
    path = bundle / "adapter_config.json"
    path.write_text(path.read_text().replace('"cat"', '"tiger"'))
    with pytest.raises(BundleError, match=r"is not as it was written \(its `sha256` does not fit"):
        onlay.load(bundle, backbone=tiny_backbone(), host=host)
    onlay.bundle.seal(bundle)
    assert onlay.load(bundle, backbone=tiny_backbone(), host=host).head.labels[0] == "tiger"


def test_every_flipped_bit_of_a_manifest_is_found(bundle):
    path = bundle / "adapter_config.json"
    whole = path.read_bytes()
    read_manifest(bundle)
    for bit in random.Random(0).sample(range(8 * len(whole)), 300):
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        if broken.split() != whole.split():  # a blank instead of a line end means the same
            path.write_bytes(broken)
            with pytest.raises(BundleError):
                read_manifest(bundle)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": ' * 100_000, "nested too deeply"),
        ("[" * 40 + "]" * 40, "nested too deeply"),
        ('{"labels": [], "labels": ["a"]}', "`labels` is there twice"),
        ('{"a": NaN}', "`NaN` is no number of JSON"),
        ('{"a": 1e999}', "the number 1e999 is too large"),
        ('{"a": ' + "9" * 5000 + "}", "is too large"),
        ('{"a": "\\ud800"}', "it is no UTF-8 text"),
        (b"\xff\xfe{\x00}\x00", "it is no UTF-8 text"),
    ],
)
def test_odd_json_is_one_sentence(bundle, text, reason):
    content = text if isinstance(text, bytes) else text.encode()
    (bundle / "adapter_config.json").write_bytes(content)
    with pytest.raises(BundleError, match=rf"cannot be read as JSON: .*{reason}"):
        read_manifest(bundle)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"method": {}}, "damaged: `method`"),
        ({"method": {"name": 3}}, "`method`: .*needs a `name` that is text"),
        ({"task": {"kind": "x"}}, "`task`: .*needs a `name` that is text"),
        ({"labels": []}, "`labels`: .*at least 1"),
        ({"labels": [1, 2, 3]}, r"`labels.0`"),
        ({"sites": ["blocks.0.mlp.in"]}, "acts at other sites than `bitfit` takes"),
        ({"method": {"name": "bitfit", "rank": 9}}, "rank"),
    ],
)
def test_a_sealed_manifest_that_makes_no_sense_is_one_sentence(bundle, host, fields, reason):
    change(bundle, **fields)
    with pytest.raises(OnlayError, match=reason):
        onlay.load(bundle, backbone=tiny_backbone(), host=host)


def test_preprocessing_is_checked_by_the_modality_itself(bundle, host):
    alone = PluginHost()
    alone.add(builtin, name="core", distribution="onlay", version="0.2.0")
    alone.add(Tactile(), name="touch")
    change(bundle, modality="touch", preprocessing={"size": "large"})
    with pytest.raises(BundleError, match=r"is damaged: `preprocessing.size`: Input should be a"):
        onlay.load(bundle, backbone=tiny_backbone(), host=alone)
    change(bundle, preprocessing={"size": 3})  # enough for a model that reads no files
    model = onlay.load(bundle, backbone=tiny_backbone(), host=alone)
    with pytest.raises(BundleError, match=r"files of modality `touch`: `preprocessing.mean"):
        reader(alone.modalities["touch"], model.preprocessing)
