"""From the authors' checkpoint to predictions and a plain timm model, by commands alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from onlay.cli.in_process import onlay

pytest.importorskip("onlay_image", reason="the backbone is timm's, which comes with onlay-image")


@pytest.fixture
def bundle(official: Any, tmp_path: Path) -> Path:
    """`onlay import` on a file of ten classes of the authors' ViT, 192 wide."""
    save_file(official(width=192), tmp_path / "official.safetensors")
    (tmp_path / "labels.txt").write_text("".join(f"sign {i}\n" for i in range(10)))
    result = onlay(
        "import", "arc", tmp_path / "official.safetensors", "--out", tmp_path / "signs",
        "--labels", tmp_path / "labels.txt",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return tmp_path / "signs"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    from PIL import Image

    noise = torch.randint(256, (224, 224, 3), generator=torch.Generator().manual_seed(3))
    Image.fromarray(noise.byte().numpy()).save(tmp_path / "noise.png")
    return tmp_path / "noise.png"


def test_import_predict_merge_and_timm_agree(bundle: Path, picture: Path, tmp_path: Path) -> None:
    import timm
    from PIL import Image
    from timm.data import create_transform, resolve_data_config

    (answer,) = json.loads(onlay("predict", bundle, picture, "--json").stdout)
    merged = onlay("merge", bundle, "--out", tmp_path / "plain")
    assert merged.exit_code == 0, merged.output

    plain = timm.create_model(f"local-dir:{tmp_path / 'plain'}", pretrained=True).eval()
    transform = create_transform(**resolve_data_config({}, model=plain))
    with torch.no_grad():
        logits = plain(transform(Image.open(picture))[None])
    expected = {f"sign {i}": p for i, p in enumerate(logits.softmax(-1)[0].tolist())}
    assert answer["probabilities"] == pytest.approx(expected, abs=1e-5)
    assert answer["class"] == max(expected, key=expected.__getitem__)


def test_a_truncated_picture_is_named(bundle: Path, picture: Path) -> None:
    picture.write_bytes(picture.read_bytes()[:2000])
    result = onlay("predict", bundle, picture)
    assert result.exit_code == 2
    assert str(picture) in result.stderr
    assert "Traceback" not in result.output


def test_a_truncated_checkpoint_is_named(tmp_path: Path) -> None:
    torch.save({"head.weight": torch.zeros(3)}, tmp_path / "torn.bin")
    torn = tmp_path / "torn.bin"
    torn.write_bytes(torn.read_bytes()[:200])
    result = onlay("import", "arc", torn, "--out", tmp_path / "signs")
    assert result.exit_code == 2
    assert str(torn) in result.stderr
    assert not (tmp_path / "signs").exists()
