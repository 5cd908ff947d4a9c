"""Checkpoints in local files: made here in their official layouts, whole and broken."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from small_vit import VIT, config, one_sentence, vit
from torch import Tensor, nn

from onlay.anatomy import BuiltBackbone
from onlay.errors import BundleError, ConfigError
from onlay_image.backbones.build import build

Make = Callable[..., nn.Module]


def trunk(built: BuiltBackbone | nn.Module) -> Mapping[str, Tensor]:
    module = built.module if isinstance(built, BuiltBackbone) else built
    return {n: t for n, t in module.state_dict().items() if not n.startswith("head.")}


def assert_same(built: BuiltBackbone, model: nn.Module) -> None:
    expected = trunk(model)
    assert trunk(built).keys() == expected.keys()
    for name, tensor in trunk(built).items():
        assert torch.equal(tensor, expected[name]), name


@pytest.mark.parametrize("ending", ["safetensors", "pth", "bin", "pt"])
def test_local_files(ending: str, tmp_path: Path) -> None:
    """With the classifier of another task in them, and timm's training checkpoint around it."""
    model, path = vit(num_classes=37), tmp_path / f"weights.{ending}"
    if ending == "safetensors":
        save_file(model.state_dict(), path)
    else:
        torch.save({"state_dict": model.state_dict(), "epoch": 3}, path)
    assert_same(build(config(path)), model)


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("beit_base_patch16_224", {}),
        ("eva02_tiny_patch14_224", {"img_size": 28}),
        ("vit_small_patch16_dinov3", {}),
    ],
)
def test_local_files_of_other_families(name: str, kwargs: dict[str, Any], tmp_path: Path) -> None:
    model = timm.create_model(name, **(VIT | {"img_size": 32} | kwargs))
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    assert_same(build(config(tmp_path / "weights.safetensors", name, **kwargs)), model)


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"])
def test_local_files_of_swins(name: str, tmp_path: Path) -> None:
    kwargs = {"embed_dim": 24, "depths": (2, 1), "num_heads": (2, 4), "window_size": 4}
    model = timm.create_model(name, img_size=32, **kwargs)
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    built = build(config(tmp_path / "weights.safetensors", name, model_kwargs=kwargs))
    own = {n: t for n, t in model.state_dict().items() if not n.startswith("head.fc.")}
    assert all(torch.equal(built.anatomy.trunk()[n], t) for n, t in own.items())


def test_another_input_size_interpolates_the_position_embedding(tmp_path: Path) -> None:
    """timm's own `set_input_size` does the same."""
    model = vit()
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    built = build(config(tmp_path / "weights.safetensors", img_size=(48, 64)))
    assert built.module.pos_embed.shape == (1, 13, 48)
    assert built.input_spec["img_size"] == [48, 64]
    model.set_input_size((48, 64))
    torch.testing.assert_close(built.module.pos_embed, model.pos_embed)


def google_npz(model: nn.Module, path: Path) -> None:
    """The tensors under the names and in the layout of google-research/vision_transformer."""
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    width, heads, depth = model.embed_dim, model.blocks[0].attn.num_heads, len(model.blocks)
    arrays = {
        "cls": state["cls_token"],
        "embedding/kernel": state["patch_embed.proj.weight"].transpose(2, 3, 1, 0),
        "embedding/bias": state["patch_embed.proj.bias"],
        "Transformer/posembed_input/pos_embedding": state["pos_embed"],
        "Transformer/encoder_norm/scale": state["norm.weight"],
        "Transformer/encoder_norm/bias": state["norm.bias"],
        "head/kernel": state["head.weight"].T,
        "head/bias": state["head.bias"],
    }
    for index in range(depth):
        own, at = f"blocks.{index}.", f"Transformer/encoderblock_{index}/"
        for norm, theirs in (("norm1", "LayerNorm_0"), ("norm2", "LayerNorm_2")):
            arrays[f"{at}{theirs}/scale"] = state[f"{own}{norm}.weight"]
            arrays[f"{at}{theirs}/bias"] = state[f"{own}{norm}.bias"]
        attention = f"{at}MultiHeadDotProductAttention_1/"
        weights = np.split(state[f"{own}attn.qkv.weight"], 3)
        biases = np.split(state[f"{own}attn.qkv.bias"], 3)
        for theirs, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
            arrays[f"{attention}{theirs}/kernel"] = weight.T.reshape(width, heads, -1)
            arrays[f"{attention}{theirs}/bias"] = bias.reshape(heads, -1)
        projection = state[f"{own}attn.proj.weight"].T
        arrays[f"{attention}out/kernel"] = projection.reshape(heads, -1, width)
        arrays[f"{attention}out/bias"] = state[f"{own}attn.proj.bias"]
        for number in (0, 1):
            dense, fc = f"{at}MlpBlock_3/Dense_{number}/", f"{own}mlp.fc{number + 1}."
            arrays[f"{dense}kernel"] = state[f"{fc}weight"].T
            arrays[f"{dense}bias"] = state[f"{fc}bias"]
    np.savez(path, **arrays)


def test_googles_npz(tmp_path: Path) -> None:
    model, path = vit(), tmp_path / "ViT.npz"
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    google_npz(model, path)
    assert_same(build(config(path)), model)
    images = torch.randn(1, 3, 32, 32)
    pooled = build(config(path)).anatomy.encode(images).pooled
    torch.testing.assert_close(pooled, model.forward_head(model.forward_features(images), True))


def test_a_npz_of_another_depth_or_width(tmp_path: Path) -> None:
    google_npz(vit(depth=3), tmp_path / "deep.npz")
    with pytest.raises(BundleError, match=r"another architecture: it has 3 blocks .* model has 2"):
        build(config(tmp_path / "deep.npz"))
    google_npz(vit(embed_dim=24), tmp_path / "narrow.npz")
    with pytest.raises(BundleError, match=r"`embedding/kernel` is \(24,\) and should be \(48,\)"):
        build(config(tmp_path / "narrow.npz"))
    with pytest.raises(BundleError, match="hold a ViT, not a `SwinTransformer`"):
        build(config(tmp_path / "deep.npz", "swin_tiny_patch4_window7_224", model_kwargs={}))


def test_a_checkpoint_of_another_architecture_names_tensors(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(vit(depth=3, embed_dim=24).state_dict(), path)
    with pytest.raises(BundleError) as error:
        build(config(path))
    text = one_sentence(error)
    assert "is a checkpoint of another architecture than this `VisionTransformer`" in text
    assert "`cls_token` is (1, 1, 24) and should be (1, 1, 48)" in text
    assert " more" in text
    save_file(vit(depth=3).state_dict(), path)
    with pytest.raises(BundleError, match=r"`blocks\.2\.[a-z.0-9]+` is unexpected"):
        build(config(path))
    save_file(vit(depth=1).state_dict(), path)
    with pytest.raises(BundleError, match=r"`blocks\.1\.norm1\.weight` is missing"):
        build(config(path))


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        build(config(tmp_path / "absent.safetensors"))
    save_file(vit().state_dict(), tmp_path / "whole.safetensors")
    torch.save(vit().state_dict(), tmp_path / "whole.pth")
    google_npz(vit(), tmp_path / "whole.npz")
    for ending in ("safetensors", "pth", "npz"):
        whole = (tmp_path / f"whole.{ending}").read_bytes()
        for name, content in (
            ("cut", whole[: len(whole) // 2]),
            ("text", b"hello"),
            ("empty", b""),
        ):
            path = tmp_path / f"{name}.{ending}"
            path.write_bytes(content)
            with pytest.raises(BundleError) as error:
                build(config(path))
            assert f"`{path}` cannot be read as" in one_sentence(error)


class Planted:
    """What a pickle could do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was executed",))


@pytest.mark.parametrize("content", [Planted(), {"model": Planted()}, [1, 2], 3.0])
def test_nothing_is_unpickled(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(BundleError):
        build(config(path))


def lightning(state: dict[str, Any]) -> dict[str, Any]:
    """What a trainer writes: the wrapped network beside a loss, and values of many kinds."""
    wrapped = {f"model._orig_mod.{name}": tensor for name, tensor in state.items()}
    return {
        "state_dict": {**wrapped, "loss.weight": torch.ones(5)},
        "hyper_parameters": argparse.Namespace(lr=np.float64(0.1), out=Path("runs")),
        "callbacks": {"best": {"score": np.float32(0.9)}},
        "epoch": 3,
    }


@pytest.mark.parametrize(
    "content",
    [
        lambda state: {f"module.{n}": t for n, t in state.items()},
        lambda state: {"model": {f"_orig_mod.{n}": t for n, t in state.items()}, "acc": np.ones(1)},
        lambda state: {"state_dict": {f"backbone.encoder.{n}": t for n, t in state.items()}},
        lambda state: {"model": dict.fromkeys(state, torch.zeros(1)), "model_ema": state},
        lambda state: {"my_network": state, "optimizer": {"state": {0: {"m": torch.ones(1)}}}},
        lightning,
    ],
)
def test_wrappers_and_trainers_are_looked_through(tmp_path: Path, content: Any) -> None:
    model, path = vit(), tmp_path / "weights.ckpt"
    torch.save(content(model.state_dict()), path)
    assert_same(build(config(path)), model)


def test_a_whole_module_that_was_pickled(tmp_path: Path) -> None:
    model, path = vit(), tmp_path / "model.pt"
    torch.save(model, path)
    assert_same(build(config(path)), model)
