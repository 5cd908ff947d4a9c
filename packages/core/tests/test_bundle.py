"""Bundles: what is in them, and every way in which they can be wrong."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
from pathlib import Path

import pytest
import torch
from markdown_it import MarkdownIt
from ruamel.yaml import YAML
from safetensors.torch import load as load_bytes
from safetensors.torch import load_file, save_file
from safetensors.torch import save as save_tensors

import onlay
from onlay.bundle import read_manifest
from onlay.bundle.seal import sha256_of
from onlay.config.base import Config
from onlay.descriptors import Modality
from onlay.errors import (
    BundleError,
    ConfigError,
    OnlayError,
    PluginError,
    RunError,
    UnknownName,
)
from onlay.host import PluginHost, builtin
from onlay.model.predict import predict
from onlay.model.preprocessing import reader
from onlay.testing import tiny_backbone


@pytest.fixture(scope="module")
def host():
    return PluginHost.discover()


@pytest.fixture
def model(host):
    torch.manual_seed(0)
    model = onlay.adapt(tiny_backbone(), "bitfit", labels=["cat", "dog", "eel"], host=host).eval()
    with torch.no_grad():
        for parameter in model.trained_parameters().values():
            parameter.add_(0.1)
    return model


@pytest.fixture
def bundle(model, tmp_path):
    record = {"metrics": {"test.top1": 0.875}, "dataset": "pets", "split": "5e1f", "seed": 0}
    return model.save_pretrained(tmp_path / "bundle", record=record)


def change(bundle, **fields):
    """As somebody who means it."""
    path = bundle / "adapter_config.json"
    path.write_text(resealed({**json.loads(path.read_text()), **fields}))


def resealed(data):
    return json.dumps(data | {"sha256": sha256_of(data)})


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


def test_truncated_tensors_are_refused(bundle, host):
    path = bundle / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BundleError, match="truncated or no safetensors file"):
        onlay.load(bundle, backbone=tiny_backbone(), host=host)


def test_exchanged_tensors_are_refused(bundle, host):
    path = bundle / "adapter_model.safetensors"
    save_file({name: t + 1 for name, t in load_file(path).items()}, path)
    with pytest.raises(BundleError, match="is not the file that was written beside"):
        onlay.load(bundle, backbone=tiny_backbone(), host=host)


def test_a_pickle_is_never_unpickled(bundle, host, tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save(Payload(), bundle / "adapter_model.safetensors")
    with pytest.raises(BundleError, match="no safetensors file"):
        onlay.load(bundle, backbone=tiny_backbone(), host=host)
    assert not (tmp_path / "ran").exists()


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


def test_a_folder_without_a_bundle(tmp_path):
    with pytest.raises(BundleError, match="no bundle and no finished run"):
        onlay.load(tmp_path)


def test_saving_replaces_a_bundle_and_spares_other_folders(bundle, model, tmp_path):
    (bundle / "adapter_model.safetensors").write_bytes(b"old")
    model.save_pretrained(bundle)
    assert len(load_file(bundle / "adapter_model.safetensors")) > 0
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    with pytest.raises(BundleError, match="holds other files"):
        model.save_pretrained(tmp_path / "photos")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "photos"]


def test_a_failed_write_keeps_the_old_bundle(bundle, model, monkeypatch):
    before = {p.name: p.read_bytes() for p in bundle.iterdir()}

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("onlay.bundle.replacing.os.fsync", full)
    with pytest.raises(RunError, match="bundle` cannot be written: the disk is full"):
        model.save_pretrained(bundle)
    assert {p.name: p.read_bytes() for p in bundle.iterdir()} == before
    assert [p.name for p in bundle.parent.iterdir()] == ["bundle"]


def test_labels_and_num_classes_must_agree(host):
    with pytest.raises(ConfigError, match="`num_classes` is 3 but there are 2 labels"):
        onlay.adapt(tiny_backbone(), "linear", labels=["a", "b"], num_classes=3, host=host)


def test_hub_addresses_are_downloaded_at_their_revision(bundle, model, images, host, monkeypatch):
    asked = {}

    def snapshot_download(repo_id, *, revision, allow_patterns):
        asked.update(repo_id=repo_id, revision=revision, allow_patterns=allow_patterns)
        return str(bundle)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    again = onlay.load("hf-hub:ann/pets@v1", backbone=tiny_backbone(), host=host)
    assert torch.equal(again(images), model(images))
    assert asked["repo_id"] == "ann/pets"
    assert asked["revision"] == "v1"
    assert set(asked["allow_patterns"]) == {p.name for p in bundle.iterdir()}


def test_an_unreachable_hub_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BundleError, match=r"`hf-hub:ann/none-such` cannot be had from the hub: ."):
        onlay.load("hf-hub:ann/none-such")


def test_push_uploads_exactly_a_bundle(model, monkeypatch):
    uploaded = {}

    class Api:
        def create_repo(self, repo_id, *, private, exist_ok):
            uploaded.update(repo_id=repo_id, private=private)

        def upload_folder(self, *, folder_path, repo_id, commit_message):
            uploaded["files"] = {p.name for p in folder_path.iterdir()}
            return type("Commit", (), {"commit_url": "hub/ann/pets/1"})

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    assert model.push_to_hub("ann/pets", private=True) == "hub/ann/pets/1"
    assert uploaded["private"]
    assert uploaded["files"] == {"adapter_config.json", "adapter_model.safetensors", "README.md"}


def test_equal_models_give_equal_files(model, tmp_path):
    files = [model.save_pretrained(tmp_path / name) for name in ("a", "b", "c", "d")]
    assert len({(f / "adapter_model.safetensors").read_bytes() for f in files}) == 1


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


class Facts(Config):
    size: int
    mean: list[float]


def test_preprocessing_is_checked_by_the_modality_itself(bundle, host):
    class Tactile:
        @onlay.hookimpl
        def register_modalities(self):
            yield Modality(
                name="touch",
                reader="builtins:dict",
                suffixes=frozenset(),
                summary="",
                preprocessing=f"{__name__}:Facts",
            )

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


def rewritten(bundle, change_tensors):
    path = bundle / "adapter_model.safetensors"
    path.write_bytes(change_tensors(path.read_bytes()))
    change(bundle, tensors_sha256=hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize(
    ("convert", "reason"),
    [
        (lambda t: t * torch.nan, "holds numbers that are not finite"),
        (lambda t: t.to(torch.int32), "holds int32 and should float32"),
        (lambda t: t.to(torch.float8_e4m3fn), "holds float8_e4m3fn and should float32"),
        (lambda t: t[:0], r"should be \("),
    ],
)
def test_tensors_of_another_kind_are_one_sentence(bundle, host, convert, reason):
    rewritten(
        bundle,
        lambda content: save_tensors({n: convert(t) for n, t in load_bytes(content).items()}),
    )
    with pytest.raises(BundleError, match=reason):
        onlay.load(bundle, backbone=tiny_backbone(), host=host)


def test_another_precision_is_converted(bundle, host, model, images):
    rewritten(
        bundle,
        lambda content: save_tensors({n: t.double() for n, t in load_bytes(content).items()}),
    )
    again = onlay.load(bundle, backbone=tiny_backbone(), host=host)
    assert torch.equal(again(images), model(images))


def header(entries, body=b""):
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text + body


ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        header({"a": ONE, "b": ONE}, b"\0" * 4),  # two on one place
        header(b'{"a": %(o)b, "a": %(o)b}' % {b"o": json.dumps(ONE).encode()}, b"\0" * 4)[:-1],
        header({"a": ONE}, b"\0" * 9),  # more than the header says
        header({"a": ONE}, b"\0" * 3),
        header({"a": ONE | {"shape": [2**62, 2**62]}}, b"\0" * 4),
        header({"a": ONE | {"dtype": "F3"}}, b"\0" * 4),
        (2**62).to_bytes(8, "little") + b"{}",
        header(b"[" * 5000),
        header([1, 2]),
    ],
)
def test_odd_safetensors_are_one_sentence(bundle, host, content):
    rewritten(bundle, lambda _: content)
    with pytest.raises(BundleError, match=r"adapter_model.safetensors` is truncated or no safeten"):
        onlay.load(bundle, backbone=tiny_backbone(), host=host)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "device"])
def test_what_never_ends_is_not_read(bundle, host, name, kind):
    path = bundle / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(bundle / "pipe")
        path.symlink_to("pipe")
    with pytest.raises(BundleError, match=r"it is no plain file|no bundle and no finished run"):
        onlay.load(bundle, backbone=tiny_backbone(), host=host)


def test_a_kill_between_the_two_renames_leaves_a_bundle(bundle, model, images, host, monkeypatch):
    """Killed where the old folder has its other name, and the new one not yet its own."""

    class Killed(BaseException):
        pass

    rename = Path.rename

    def killed(path, target):
        if ".new-" in path.name:
            raise Killed
        return rename(path, target)

    with torch.no_grad():
        model.head.fc.bias += 1
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        patched.setattr("onlay.bundle.replacing.shutil.rmtree", lambda *a, **k: None)
        with pytest.raises(Killed):
            model.save_pretrained(bundle)
    assert not bundle.exists()
    again = onlay.load(bundle, backbone=tiny_backbone(), host=host)
    assert torch.equal(again(images), model(images)), "the new one is whole"
    for leftover in bundle.parent.iterdir():  # of a process that is gone
        leftover.rename(leftover.with_name(leftover.name.replace(str(os.getpid()), "4194305")))
    model.save_pretrained(bundle)
    assert [p.name for p in bundle.parent.iterdir()] == ["bundle"]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file", "is a file: a bundle is a folder"),
        ("file/below", "a part of its path is a file|a file is in the way"),
        ("n" * 300, "its name is too long"),
        ("nul\0", "its name holds a NUL"),
    ],
)
def test_a_place_that_cannot_hold_a_bundle(model, tmp_path, place, reason):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OnlayError, match=reason):
        model.save_pretrained(tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_not_finite_is_not_saved(model, tmp_path):
    with torch.no_grad():
        model.head.fc.bias[0] = torch.inf
    with pytest.raises(BundleError, match=r"`head.fc.bias` holds numbers that are not finite"):
        model.save_pretrained(tmp_path / "bundle")
