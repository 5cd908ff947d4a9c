"""`onlay import arc`: the logits are those of the authors' network, restated in plain torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

import onlay
from onlay.cli import main
from onlay.errors import BundleError
from onlay_arc.importer import read

pytest.importorskip("onlay_image", reason="the backbone is timm's, which comes with onlay-image")

State = dict[str, Tensor]


def linear(s: State, name: str, x: Tensor) -> Tensor:
    return x @ s[f"{name}.weight"].T + s[f"{name}.bias"]


def norm(s: State, name: str, x: Tensor) -> Tensor:
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-6).sqrt() * s[f"{name}.weight"] + s[f"{name}.bias"]


def adapted(s: State, layer: str, site: str, x: Tensor) -> Tensor:
    U = s[f"transformer.{site}_down_projection"]
    down = U * s[f"{layer}.{site}_adapter.adapter_rescale"]
    return x + x @ down @ U.T + s[f"{layer}.{site}_adapter.adapter_bias"]


def attention(s: State, name: str, x: Tensor, heads: int) -> Tensor:
    def split(part: str) -> Tensor:
        y = linear(s, f"{name}.{part}", x)
        return y.unflatten(-1, (heads, -1)).transpose(1, 2)  # (B, heads, T, D / heads)

    q, k, v = split("query"), split("key"), split("value")
    weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
    return linear(s, f"{name}.projective", (weights @ v).transpose(1, 2).flatten(2))


def official_logits(s: State, images: Tensor, heads: int) -> Tensor:
    """The network of `ARC_ViT.py` in evaluation; images (B, 3, H, W)."""
    kernel, bias = s["embedding.projective.weight"], s["embedding.projective.bias"]
    patches = F.conv2d(images, kernel, bias, stride=kernel.shape[-1]).flatten(2).transpose(1, 2)
    x = torch.cat([s["embedding.cls"].expand(len(images), -1, -1), patches], 1)
    x = x + s["embedding.position_embedding"]
    for i in range(12):
        layer = f"transformer.layer.{i}"
        z = adapted(s, layer, "att", norm(s, f"{layer}.att_layer_norm", x))
        x = x + attention(s, f"{layer}.attention", z, heads)
        z = norm(s, f"{layer}.fnn_layer_norm", x)
        if f"{layer}.mlp_adapter.adapter_bias" in s:
            z = adapted(s, layer, "mlp", z)
        x = x + linear(s, f"{layer}.mlp.fc2", F.gelu(linear(s, f"{layer}.mlp.fc1", z)))
    return linear(s, "head_mlp.head", norm(s, "transformer.layer_norm", x)[:, 0])


@pytest.fixture
def photographs() -> Tensor:
    return torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(5))


def difference(model: Any, state: State, images: Tensor, heads: int) -> float:
    with torch.no_grad():
        return (model(images) - official_logits(state, images, heads)).abs().max().item()


def test_a_whole_vit(official: Any, tmp_path: Path, photographs: Tensor, host: Any) -> None:
    """A ViT-S, of 2 (384 * 50 + 12 (50 + 384)) trained numbers."""
    state, one = official(width=384), photographs[:1]
    torch.save(state, tmp_path / "ViT-S_16_checkpoint.bin")
    model = read(tmp_path / "ViT-S_16_checkpoint.bin", host=host)
    assert model.trainable_report().method == 48_816
    with torch.no_grad():
        expected = official_logits(state, one, 6)
        assert (model(one) - expected).abs().max() < 1e-5
    assert expected.std() > 0.1


def test_arc_att_in_the_other_spelling_and_nested(
    official: Any, tmp_path: Path, photographs: Tensor, host: Any
) -> None:
    state = {n: t for n, t in official(width=192).items() if "mlp_adapter" not in n}
    del state["transformer.mlp_down_projection"]
    theirs = {
        n.replace("att_down_projection", "left_u_att")
        .replace("att_adapter.adapter_rescale", "att_scale")
        .replace("att_adapter.adapter_bias", "att_scale_bias"): t
        for n, t in state.items()
    }
    torch.save({"model": theirs}, tmp_path / "x.bin")
    model = read(tmp_path / "x.bin", host=host)
    assert model.method.sites == ("attn.in",)
    assert difference(model, state, photographs, heads=3) < 1e-5


def test_a_bundle_of_a_whole_model_loads_by_itself(
    official: Any, tmp_path: Path, photographs: Tensor, host: Any
) -> None:
    state = official(width=192)
    save_file(state, tmp_path / "x.safetensors")
    stored = tmp_path / "out" / "backbone.safetensors"
    labels = [f"sign {i}" for i in range(10)]
    read(tmp_path / "x.safetensors", backbone_out=stored, labels=labels, host=host).save_pretrained(
        tmp_path / "out" / "bundle"
    )
    loaded = onlay.load(tmp_path / "out" / "bundle", host=host)
    assert list(loaded.head.labels) == labels
    assert difference(loaded, state, photographs, heads=3) < 1e-5


def test_the_trained_part_goes_on_a_named_backbone(
    official: Any, tmp_path: Path, photographs: Tensor, host: Any
) -> None:
    state = official(width=192)
    whole = read_whole(state, tmp_path, host)
    part = {n: t for n, t in state.items() if "adapter" in n or "projection" in n or "head" in n}
    torch.save(part, tmp_path / "part.bin")
    with pytest.raises(BundleError, match="trained part alone; name the backbone"):
        read(tmp_path / "part.bin", host=host)
    model = read(tmp_path / "part.bin", backbone=whole.built.source, host=host)
    assert difference(model, state, photographs, heads=3) < 1e-5


def read_whole(state: State, folder: Path, host: Any) -> Any:
    torch.save(state, folder / "whole.bin")
    return read(folder / "whole.bin", backbone_out=folder / "frozen.safetensors", host=host)


def test_a_whole_model_is_held_against_the_backbone_that_is_named(
    official: Any, tmp_path: Path, photographs: Tensor, host: Any
) -> None:
    state = official(width=192)
    source = read_whole(state, tmp_path, host).built.source
    model = read(tmp_path / "whole.bin", backbone=source, host=host)
    assert difference(model, state, photographs, heads=3) < 1e-5
    state["transformer.layer.4.mlp.fc1.bias"] += 0.1
    torch.save(state, tmp_path / "other.bin")
    with pytest.raises(BundleError, match=r"not trained on .* `blocks\.4\.mlp\.fc1\.bias` differ"):
        read(tmp_path / "other.bin", backbone=source, host=host)


def test_a_network_of_another_depth_is_refused(official: Any, tmp_path: Path, host: Any) -> None:
    state = {n: t for n, t in official(width=192).items() if "layer.11." not in n}
    torch.save(state, tmp_path / "x.bin")
    with pytest.raises(BundleError, match=r"holds no `vit_tiny_patch16_224.*blocks\.11\."):
        read(tmp_path / "x.bin", host=host)


def test_the_command(official: Any, tmp_path: Path, photographs: Tensor, host: Any) -> None:
    state = official(width=192)
    save_file(state, tmp_path / "theirs.safetensors")
    (tmp_path / "labels.txt").write_text("\n".join(f"sign {i}" for i in range(10)))
    arguments = ["import", "arc", str(tmp_path / "theirs.safetensors")]
    arguments += ["--out", str(tmp_path / "kitti"), "--labels", str(tmp_path / "labels.txt")]
    result = CliRunner().invoke(main, arguments, prog_name="onlay", obj=host)
    assert result.exit_code == 0, result.output
    loaded = onlay.load(tmp_path / "kitti", host=host)
    assert loaded.head.labels[3] == "sign 3"
    assert difference(loaded, state, photographs, heads=3) < 1e-5


def test_the_command_refuses_in_one_sentence(official: Any, tmp_path: Path, host: Any) -> None:
    state = official(width=192)
    del state["transformer.layer.6.att_adapter.adapter_bias"]
    torch.save(state, tmp_path / "x.bin")
    arguments = ["import", "arc", str(tmp_path / "x.bin"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, arguments, prog_name="onlay", obj=host)
    assert result.exit_code == 2
    assert "`transformer.layer.6.att_adapter.adapter_bias`" in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()
