"""Bundles: what is in them, and that they give the model back."""

from __future__ import annotations

import json
import re

import pytest
import torch
from markdown_it import MarkdownIt
from ruamel.yaml import YAML
from safetensors.torch import load_file

import onlay
from onlay.errors import (
    BundleError,
    ConfigError,
)
from onlay.testing import tiny_backbone


def test_round_trip_gives_equal_outputs(model, bundle, images, host):
    again = onlay.load(bundle, backbone=tiny_backbone(), host=host)
    assert torch.equal(again(images), model(images))
    assert again.head.labels == ("cat", "dog", "eel")
    assert not again.training


def test_files_are_those_that_hub_tools_know(bundle, model):
    assert {p.name for p in bundle.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "README.md",
    }
    tensors = load_file(bundle / "adapter_model.safetensors")
    assert set(tensors) == set(model.trained_parameters())
    assert not any(name.startswith("backbone.") for name in tensors)
    config = json.loads((bundle / "adapter_config.json").read_text())
    assert config["method"] == {"name": "bitfit", "schema_version": 1} or (
        config["method"]["name"] == "bitfit"
    )
    assert config["labels"] == ["cat", "dog", "eel"]
    assert config["data"] == {"dataset": "pets", "split": "5e1f"}
    assert config["packages"]["method"]["distribution"] == "onlay"


HOSTILE = [
    "<script>alert(1)</script>",
    "![x](http://evil/x.png)",
    "[here](http://evil)",
    "cat\n\n# Heading\n\n| a | b |",
    "`a` | ``b",
    "\x1b[31mred\u202egnp",
    "---\nlicense: mine",
]


def test_names_in_a_card_are_text(tmp_path, host):
    model = onlay.adapt(tiny_backbone(), "linear", labels=HOSTILE, host=host)
    metrics = {"a | b": 0.5, "<b>": 0.25}
    record = {"metrics": metrics, "dataset": "<img src=x>", "command": "onlay `x`\n# y"}
    card = (model.save_pretrained(tmp_path / "b", record=record) / "README.md").read_text()
    _, head, body = card.split("---\n", 2)
    shown = MarkdownIt("commonmark", {"html": True}).enable("table").render(body)
    tags = set(re.findall(r"</?(\w+)", shown))
    own = {"h1", "p", "ul", "li", "code", "pre", "table", "thead", "tbody", "tr", "th", "td"}
    assert tags == own
    assert shown.count("<h1>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "<code>![x](http://evil/x.png)</code>" in shown
    assert "<code>a | b</code></td>" in shown
    assert "\\x1b[31mred\\u202egnp" in shown
    assert "license" not in YAML(typ="safe").load(head)


def test_card_states_what_was_measured_and_leaves_no_blank(bundle):
    card = (bundle / "README.md").read_text()
    assert card.startswith("---\n")
    assert "library_name: onlay" in card
    assert "| `test.top1` | 0.875 |" in card
    assert "dataset: `pets`" in card
    assert "More Information" not in card
    assert "None" not in card


def test_another_backbone_is_refused_and_can_be_forced(bundle, host):
    other = tiny_backbone(seed=1)
    with pytest.raises(BundleError, match="other weights of `tiny`"):
        onlay.load(bundle, backbone=other, host=host)
    assert "_onlay_attachments" not in vars(other.module)
    onlay.load(bundle, backbone=other, host=host, allow_backbone_mismatch=True)


def test_the_fingerprint_is_that_of_the_untouched_backbone(host, tmp_path, images):
    """Full fine-tuning changes every tensor that runs, yet loads onto the original weights."""
    model = onlay.adapt(tiny_backbone(), "full", num_classes=2, host=host).eval()
    with torch.no_grad():
        for parameter in model.trained_parameters().values():
            parameter.mul_(1.5)
    again = onlay.load(
        model.save_pretrained(tmp_path / "full"), backbone=tiny_backbone(), host=host
    )
    assert torch.equal(again(images), model(images))


def test_without_a_source_the_backbone_must_be_passed(bundle, host):
    with pytest.raises(BundleError, match="pass it as `backbone=`"):
        onlay.load(bundle, host=host)


def test_labels_and_num_classes_must_agree(host):
    with pytest.raises(ConfigError, match="`num_classes` is 3 but there are 2 labels"):
        onlay.adapt(tiny_backbone(), "linear", labels=["a", "b"], num_classes=3, host=host)


def test_equal_models_give_equal_files(model, tmp_path):
    files = [model.save_pretrained(tmp_path / name) for name in ("a", "b", "c", "d")]
    assert len({(f / "adapter_model.safetensors").read_bytes() for f in files}) == 1


def test_what_is_not_finite_is_not_saved(model, tmp_path):
    with torch.no_grad():
        model.head.fc.bias[0] = torch.inf
    with pytest.raises(BundleError, match=r"`head.fc.bias` holds numbers that are not finite"):
        model.save_pretrained(tmp_path / "bundle")


def test_what_is_merged_into_the_backbone_is_not_saved_as_a_bundle(model, host, tmp_path):
    merged = model.merge()
    with pytest.raises(BundleError, match=r"`bitfit` is merged .*`onlay merge`.*torch\.save"):
        merged.save_pretrained(tmp_path / "bundle")
    with pytest.raises(BundleError, match="`bitfit` is merged"):
        merged.merge().save_pretrained(tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
    model.save_pretrained(tmp_path / "bundle")


def test_where_nothing_was_merged_there_is_a_bundle(host, tmp_path, images):
    merged = onlay.adapt(tiny_backbone(), "linear", num_classes=2, host=host).eval().merge()
    folder = merged.save_pretrained(tmp_path / "bundle")
    again = onlay.load(folder, backbone=tiny_backbone(), host=host)
    assert torch.equal(again(images), merged(images))
