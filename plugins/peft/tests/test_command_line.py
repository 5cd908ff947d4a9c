"""`onlay peft export` and `onlay import peft`."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

import onlay
from onlay.cli.in_process import onlay as call
from onlay.testing import tiny_backbone

NAME = "onlay_vit_64"


def test_there_and_back(host: Any, move: Any, tmp_path: Any) -> None:
    pytest.importorskip("onlay_image", reason="brings the backbone")
    peft = pytest.importorskip("peft")
    model = onlay.adapt(
        NAME, {"name": "peft", "options": {"r": 2}}, num_classes=3, host=host
    ).eval()
    move(model)
    model.save_pretrained(tmp_path / "bundle")
    out = call("peft", "export", tmp_path / "bundle", tmp_path / "theirs")
    assert out.exit_code == 0, out.output
    assert "`num_classes=3`" in out.output
    written = json.loads((tmp_path / "theirs" / "adapter_config.json").read_text())
    assert (written["peft_type"], written["modules_to_save"]) == ("LORA", ["head"])
    assert written["auto_mapping"]["base_model_class"] == "VisionTransformer"
    with torch.no_grad():
        built = onlay.adapt(NAME, "linear", num_classes=3, host=host).backbone
        built.reset_classifier(3)
        images = model.anatomy.example(2)
        plain = peft.PeftModel.from_pretrained(built, tmp_path / "theirs").eval()
        assert (plain(images) - model(images)).abs().max() < 1e-5

    (tmp_path / "labels.txt").write_text("ant\nbee\ncat\n")
    out = call(
        *("import", "peft", tmp_path / "theirs", "--out", tmp_path / "back"),
        *("--backbone", NAME, "--labels", tmp_path / "labels.txt"),
    )
    assert out.exit_code == 0, out.output
    again = onlay.load(tmp_path / "back", host=host)
    assert again.head.labels == ("ant", "bee", "cat")
    with torch.no_grad():
        assert (again(images) - model(images)).abs().max() < 1e-6

    named = written | {"base_model_name_or_path": f"timm/{NAME}"}  # as a hub says it
    (tmp_path / "theirs" / "adapter_config.json").write_text(json.dumps(named))
    out = call("import", "peft", tmp_path / "theirs", "--out", tmp_path / "unnamed")
    assert out.exit_code == 0, out.output


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("import", "peft", "FOLDER", "--out", "OUT"), "is no folder of peft: no readable"),
        (("import", "peft", "ABSENT", "--out", "OUT"), "there is no file"),
        (("peft", "export", "FOLDER", "OUT"), "is no bundle and no finished run"),
        (("peft", "export", "BUNDLE", "FOLDER"), "is there already: give another name"),
        (("peft", "export", "BUNDLE", "OUT"), "on a model object of its user's own"),
    ],
)
def test_a_slip_is_one_sentence_and_status_two(
    args: tuple[str, ...], told: str, host: Any, tmp_path: Any
) -> None:
    (tmp_path / "FOLDER").mkdir()
    onlay.adapt(tiny_backbone(), "peft", num_classes=3, host=host).save_pretrained(
        tmp_path / "BUNDLE"
    )
    found = call(*(tmp_path / a if a.isupper() else a for a in args))
    assert found.exit_code == 2
    assert told in found.output
    assert "Traceback" not in found.output
    assert not (tmp_path / "OUT").exists()
