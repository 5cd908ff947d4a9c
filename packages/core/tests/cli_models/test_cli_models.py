"""`onlay merge` and `onlay import` on models that the tests make up."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_modality import (
    LABELS,
    image_of,
    refusal,
)

from onlay import adapt, load
from onlay.testing import tiny_backbone

# --- merge


def test_merge_writes_what_the_model_computes(onlay, bundle, model, tmp_path):
    out = tmp_path / "made" / "model.safetensors"
    result = onlay("merge", bundle, "--out", out)
    assert result.exit_code == 0, result.output
    assert "`tiny` with `shift` folded in" in result.stdout
    plain = tiny_backbone(seed=7)
    plain.module.load_state_dict(load_file(out), strict=True)
    with torch.no_grad():
        expected = model.eval()(image_of(5)[None])
        logits = model.head(plain.anatomy.encode(image_of(5)[None]))
    assert torch.allclose(logits, expected, atol=1e-5)
    assert not torch.allclose(logits, model.head(tiny_backbone().anatomy.encode(image_of(5)[None])))


def test_merge_leaves_existing_files_alone(onlay, bundle, tmp_path):
    out = tmp_path / "model.safetensors"
    out.write_text("mine")
    assert "is there already" in refusal(onlay("merge", bundle, "--out", out))
    assert out.read_text() == "mine"


def test_merge_of_what_cannot_be_folded(onlay, host, tmp_path):
    model = adapt("tiny", "squash", labels=LABELS, host=host)
    bundle = model.save_pretrained(tmp_path / "bundle")
    sentence = refusal(onlay("merge", bundle, "--out", tmp_path / "m.safetensors"))
    assert "`squash` cannot be merged" in sentence
    assert "it squashes" in sentence
    assert not (tmp_path / "m.safetensors").exists()


def test_merge_into_an_unknown_format(onlay, bundle, tmp_path):
    sentence = refusal(onlay("merge", bundle, "--out", tmp_path / "m", "--format", "trunks"))
    assert "no exporter `trunks` is installed (have: trunk); did you mean `trunk`?" in sentence


# --- import


@pytest.fixture
def foreign(tmp_path):
    save_file({"shift": torch.full((16,), 0.5)}, tmp_path / "foreign.safetensors")
    return tmp_path / "foreign.safetensors"


def test_import_makes_a_bundle(onlay, host, foreign, tmp_path):
    (tmp_path / "labels.txt").write_text("cat\ndog\nowl\n\n")
    out = tmp_path / "made"
    result = onlay(
        "import", "shift", foreign, "--out", out, "--labels", tmp_path / "labels.txt",
        "--backbone", "tiny",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert f"next: onlay predict {out} PATH..." in result.stdout
    model = load(out, host=host)
    assert model.head.labels == ("cat", "dog", "owl")
    assert all(torch.equal(p, torch.full((16,), 0.5)) for p in model.adapter.parameters())
    assert not (tmp_path / "made-backbone.safetensors").exists()


def test_an_empty_line_among_labels_is_named(onlay, foreign, tmp_path):
    """Left out, it would make class 2 of what is class 3."""
    path = tmp_path / "labels.txt"
    path.write_text("cat\ndog\n\nowl\n")
    out = tmp_path / "made"
    given = ("--out", out, "--labels", path, "--backbone", "tiny")
    assert f"line 3 of `{path}` is empty" in refusal(onlay("import", "shift", foreign, *given))
    assert not out.exists()


def test_import_of_a_whole_model_writes_its_backbone_beside_the_bundle(onlay, foreign, tmp_path):
    out = tmp_path / "made"
    result = onlay("import", "shift", foreign, "--out", out)
    assert f"{out}-backbone.safetensors: the backbone's weights" in result.stdout
    stored = load_file(f"{out}-backbone.safetensors")
    assert torch.equal(stored["cls_token"], tiny_backbone().module.cls_token)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["squash", "x.pt"], "method `squash` reads no foreign checkpoints (have: shift)"),
        (["shift", "x.pt"], "there is no file `x.pt`"),
        (["shfit", "x.pt"], "did you mean `shift`?"),
        (["dapt", "x.pt"], "pip install --find-links dist onlay-dapt`"),
    ],
)
def test_wrong_imports(onlay, tmp_path, args, sentence):
    assert sentence in refusal(onlay("import", *args, "--out", tmp_path / "made"))
