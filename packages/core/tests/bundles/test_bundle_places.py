"""Where a bundle is written: on disk, whatever happens meanwhile, and on a hub."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import onlay
from onlay.errors import (
    BundleError,
    OnlayError,
    RunError,
)
from onlay.testing import tiny_backbone


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


def test_an_address_that_pins_nothing_is_not_the_newest_one(bundle, monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *given, **named: str(bundle))
    with pytest.raises(BundleError, match=r"`hf-hub:ann/pets@` names no revision after the `@`"):
        onlay.load("hf-hub:ann/pets@")


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
