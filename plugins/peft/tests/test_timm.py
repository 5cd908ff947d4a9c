"""Beside plain peft on the same timm model: equal outputs, equal starts, folders both ways."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import onlay
from onlay.anatomy import Placement
from onlay.errors import BundleError, OnlayError
from onlay_peft.adapter import attach
from onlay_peft.exporter import export
from onlay_peft.importer import read

pytest.importorskip("onlay_image", reason="the backbones are timm's, which come with onlay-image")
timm = pytest.importorskip("timm", reason="comes with onlay-image")
import peft  # noqa: E402

COLUMN = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2}
PYRAMID = {"img_size": 32, "window_size": 4, "embed_dim": 16, "depths": (1, 1), "num_heads": (2, 2)}
VIT, SWIN = ("vit_tiny_patch16_224", COLUMN), ("swin_tiny_patch4_window7_224", PYRAMID)
BEIT = ("beit_base_patch16_224", COLUMN)
SWIN_V2 = ("swinv2_tiny_window8_256", PYRAMID)
EVERY_LAYER = ["qkv.out", "attn.out", "fc1.out", "mlp.out"]
THEIR_LAYERS = ["qkv", "attn.proj", "fc1", "fc2"]

TUNERS = {
    "lora": ({"r": 4, "lora_alpha": 8}, peft.LoraConfig),
    "dora": ({"r": 4, "use_dora": True}, peft.LoraConfig),
    "oft": ({"r": 0, "oft_block_size": 4}, peft.OFTConfig),
    "boft": ({"boft_block_size": 4}, peft.BOFTConfig),
    "vera": ({"r": 4}, peft.VeraConfig),
    "loha": ({"r": 2}, peft.LoHaConfig),
    "lokr": ({"r": 2}, peft.LoKrConfig),
    "randlora": ({"r": 4}, peft.RandLoraConfig),
    "fourierft": ({"n_frequency": 16}, peft.FourierFTConfig),
}


def backbone(kind: tuple[str, dict[str, Any]], classes: int = 0) -> nn.Module:
    """The same weights every time, whatever the classifier; no norm that starts at zero."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = timm.create_model(kind[0], num_classes=0, **kind[1])
        model.reset_classifier(classes)
    with torch.no_grad():
        for vector in (p for p in model.parameters() if p.ndim == 1):
            vector.add_(0.1)
    return model.eval()


@pytest.fixture
def photographs() -> Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(5))


def ours(
    kind: Any, tuner: str, options: dict[str, Any], host: Any, sites: Any = EVERY_LAYER
) -> Any:
    torch.manual_seed(7)
    method = {"name": "peft", "tuner": "lora" if tuner == "dora" else tuner, "sites": sites}
    return onlay.adapt(backbone(kind), method | {"options": options}, num_classes=3, host=host)


@pytest.mark.parametrize("tuner", TUNERS)
def test_computes_what_plain_peft_computes(
    tuner: str, photographs: Tensor, host: Any, move: Any
) -> None:
    """From the same seed, in the same order: the start is the same bit for bit, too."""
    options, config = TUNERS[tuner]
    model = ours(VIT, tuner, options, host)
    torch.manual_seed(7)
    place = Placement(model.anatomy)
    attach(place, model.method)
    torch.manual_seed(7)
    plain = peft.get_peft_model(backbone(VIT), config(target_modules=THEIR_LAYERS, **options))
    trained = [p for p in plain.parameters() if p.requires_grad]
    starts = list(place.adapter.parameters())
    assert all(torch.equal(a, b) for a, b in zip(starts, trained, strict=True))
    move(plain)
    with torch.no_grad():
        for mine, other in zip(model.adapter.parameters(), trained, strict=True):
            mine.copy_(other)
        expected = plain.eval()(photographs)
        found = model.eval().anatomy.encode(photographs).pooled
        assert (found - expected).abs().max() < 1e-6
        with model.disabled() as bare:
            assert (bare(photographs) - expected).abs().max() > 1e-3


@pytest.mark.parametrize("kind", [VIT, SWIN], ids=["vit", "swin"])
@pytest.mark.parametrize("tuner", ["lora", "dora", "vera", "oft"])
def test_a_folder_of_ours_loads_in_plain_peft(
    tuner: str, kind: Any, photographs: Tensor, host: Any, move: Any, tmp_path: Any
) -> None:
    model = ours(kind, tuner, TUNERS[tuner][0], host).eval()
    move(model)
    assert export(model, tmp_path / "theirs") == ""
    plain = peft.PeftModel.from_pretrained(backbone(kind, classes=3), tmp_path / "theirs")
    with torch.no_grad():
        assert (plain.eval()(photographs) - model(photographs)).abs().max() < 1e-6


@pytest.mark.parametrize("kind", [VIT, SWIN], ids=["vit", "swin"])
@pytest.mark.parametrize("tuner", ["lora", "dora", "vera", "oft"])
def test_a_folder_of_plain_peft_becomes_a_bundle(
    tuner: str, kind: Any, photographs: Tensor, host: Any, move: Any, tmp_path: Any
) -> None:
    options, config = TUNERS[tuner]
    made = config(target_modules=THEIR_LAYERS, modules_to_save=["head"], **options)
    torch.manual_seed(7)
    plain = peft.get_peft_model(backbone(kind, classes=3), made)
    move(plain)
    plain.save_pretrained(tmp_path / "theirs")
    model = read(tmp_path / "theirs", backbone=backbone(kind), host=host)
    assert model.method.sites == tuple(EVERY_LAYER)
    with torch.no_grad():
        expected = plain.eval()(photographs)
        assert (model(photographs) - expected).abs().max() < 1e-6
        again = onlay.load(
            model.save_pretrained(tmp_path / "ours"), backbone=backbone(kind), host=host
        )
        assert (again(photographs) - expected).abs().max() < 1e-6


def test_patterns_and_single_layers_survive_both_ways(
    photographs: Tensor, host: Any, move: Any, tmp_path: Any
) -> None:
    config = peft.LoraConfig(
        target_modules=r"blocks\.(0\.attn\.(qkv|proj)|1\.attn\.qkv|1\.mlp\.fc2)",
        r=4,
        rank_pattern={r"blocks\.1\.attn\.qkv": 2, "fc2": 3},
        alpha_pattern={"qkv": 5},
        modules_to_save=["head"],
    )
    plain = peft.get_peft_model(backbone(VIT, classes=3), config)
    move(plain)
    plain.save_pretrained(tmp_path / "theirs")
    model = read(tmp_path / "theirs", backbone=backbone(VIT), host=host)
    assert set(model.method.sites) == {"qkv.out", "blocks.0.attn.out", "blocks.1.mlp.out"}
    assert model.method.options == {
        "r": 4,
        "rank_pattern": {"blocks.1.qkv.out": 2, "blocks.1.mlp.out": 3},
        "alpha_pattern": {"qkv.out": 5},
    }
    export(model, tmp_path / "back")
    back = peft.PeftModel.from_pretrained(backbone(VIT, classes=3), tmp_path / "back").eval()
    with torch.no_grad():
        expected = plain.eval()(photographs)
        assert (model(photographs) - expected).abs().max() < 1e-6
        assert (back(photographs) - expected).abs().max() < 1e-6
    first, second = (
        load_file(tmp_path / n / "adapter_model.safetensors") for n in ("theirs", "back")
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_ia3_knows_its_feedforward_layers(
    photographs: Tensor, host: Any, move: Any, tmp_path: Any
) -> None:
    config = peft.IA3Config(
        target_modules=["qkv", "fc2"], feedforward_modules=["fc2"], modules_to_save=["head"]
    )
    plain = peft.get_peft_model(backbone(VIT, classes=3), config)
    move(plain)
    plain.save_pretrained(tmp_path / "theirs")
    model = read(tmp_path / "theirs", backbone=backbone(VIT), host=host)
    assert model.method.options == {"feedforward_modules": ["mlp.out"]}
    with torch.no_grad():
        assert (model(photographs) - plain.eval()(photographs)).abs().max() < 1e-6


@pytest.mark.parametrize("kind", [BEIT, SWIN_V2], ids=["beit", "swinv2"])
def test_acts_where_plain_peft_does_nothing(
    kind: Any, photographs: Tensor, host: Any, move: Any, tmp_path: Any
) -> None:
    """These read `attn.qkv.weight`: peft wraps the layer, and its wrapper is never called."""
    options = {"r": 4, "lora_alpha": 8}
    config = peft.LoraConfig(target_modules=["qkv"], **options)
    bare = backbone(kind)
    with torch.no_grad():
        expected = bare(photographs)
        plain = peft.get_peft_model(bare, config)
        move(plain)
        assert torch.equal(plain(photographs), expected)
    model = ours(kind, "lora", options, host, sites=["qkv.out"]).eval()
    move(model.adapter)
    merged = model.merge()
    by_hand = backbone(kind)
    with torch.no_grad():
        for path, tuned in model.adapter.replaced.named_modules():
            if hasattr(tuned, "layer"):
                up, down = tuned.layer.lora_B.default.weight, tuned.layer.lora_A.default.weight
                by_hand.get_submodule(path).weight += 2 * up @ down
        expected = by_hand(photographs)
        for adapted in (model, merged):
            assert (adapted.anatomy.encode(photographs).pooled - expected).abs().max() < 1e-5
        with model.disabled() as left:
            assert (left(photographs) - expected).abs().max() > 1e-3
    with pytest.raises(BundleError, match=r"`.*attn\.qkv` and never calls it"):
        export(model, tmp_path / "theirs")
    plain.peft_config["default"].modules_to_save = None
    plain.save_pretrained(tmp_path / "dead")
    with pytest.raises(BundleError, match="never acted there"):
        read(tmp_path / "dead", backbone=backbone(kind, classes=3), host=host)


def test_q_k_v_apart_are_one_site(photographs: Tensor, host: Any, move: Any, tmp_path: Any) -> None:
    kind = ("eva02_tiny_patch14_224", COLUMN | {"qkv_fused": False})
    model = ours(kind, "lora", {"r": 4}, host, sites=["qkv.out", "mlp.out"]).eval()
    paths = {
        r.map.path for r in model.adapter.replacements if r.map.site.path == "blocks.0.qkv.out"
    }
    assert paths == {f"blocks.0.attn.{part}_proj" for part in "qkv"}
    move(model)
    export(model, tmp_path / "theirs")
    plain = peft.PeftModel.from_pretrained(backbone(kind, classes=3), tmp_path / "theirs").eval()
    with torch.no_grad():
        expected = model(photographs)
        assert (plain(photographs) - expected).abs().max() < 1e-6
        assert (model.merge()(photographs) - expected).abs().max() < 1e-5
    half = peft.LoraConfig(target_modules=["q_proj", "v_proj"], modules_to_save=["head"])
    peft.get_peft_model(backbone(kind, classes=3), half).save_pretrained(tmp_path / "half")
    with pytest.raises(
        BundleError, match=r"no site stands for .* `blocks\.0\.attn\.q_proj` \(and 3"
    ):
        read(tmp_path / "half", backbone=backbone(kind), host=host)


def test_folds_where_swin_pads_its_maps(photographs: Tensor, host: Any, move: Any) -> None:
    """A site of q, k, v has no writer there; the layer itself has every row that it computes."""
    kind = ("swin_tiny_patch4_window7_224", PYRAMID | {"window_size": 3})
    model = ours(kind, "lora", {"r": 4}, host, sites=["qkv.out"]).eval()
    assert model.anatomy.blocks[0].site("qkv.out").writer is None
    move(model.adapter)
    with torch.no_grad():
        assert (model.merge()(photographs) - model(photographs)).abs().max() < 1e-5


def test_the_patch_embedding_is_a_convolution(
    photographs: Tensor, host: Any, move: Any, tmp_path: Any
) -> None:
    model = ours(VIT, "lora", {"r": 2}, host, sites=["embed.out"]).eval()
    move(model)
    assert model.adapter.replacements[0].map.path == "patch_embed.proj"
    export(model, tmp_path / "theirs")
    plain = peft.PeftModel.from_pretrained(backbone(VIT, classes=3), tmp_path / "theirs").eval()
    with torch.no_grad():
        expected = model(photographs)
        assert (plain(photographs) - expected).abs().max() < 1e-6
        assert (model.merge()(photographs) - expected).abs().max() < 1e-5


def saved(tmp_path: Any, **change: Any) -> Any:
    """A folder of plain peft, its `adapter_config.json` changed."""
    config = peft.LoraConfig(target_modules=["qkv"], modules_to_save=["head"], r=2)
    peft.get_peft_model(backbone(VIT, classes=3), config).save_pretrained(tmp_path)
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    return tmp_path


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"peft_type": "PROMPT_TUNING"}, "holds a `prompt_tuning`, which has no place here"),
        ({"peft_type": "ADALORA"}, "holds a `adalora`.* shared out anew"),
        ({"peft_type": None}, "was not written by peft"),
        ({"bias": "lora_only"}, "its `bias` has no counterpart here"),
        ({"modules_to_save": ["head", "norm"]}, "also saves the module `norm`"),
        ({"modules_to_save": None, "target_modules": ["qkv", "head"]}, "cannot make `lora` here"),
        ({"r": 3}, r"lora_A\.weight` is \(2, 32\) and on this backbone should be \(3, 32\)"),
        ({"target_modules": ["fc1"]}, "does not agree|do not agree"),
        ({"init_lora_weights": "pissa"}, "changing the frozen weights"),
    ],
)
def test_says_why_a_folder_cannot_be_imported(
    change: dict[str, Any], told: str, host: Any, tmp_path: Any
) -> None:
    folder = saved(tmp_path, **change)
    with pytest.raises(ValueError, match=told) as caught:
        read(folder, backbone=backbone(VIT), host=host)
    assert isinstance(caught.value, OnlayError)
    assert "\n" not in str(caught.value)


def test_needs_a_classifier_and_a_backbone(photographs: Tensor, host: Any, tmp_path: Any) -> None:
    config = peft.LoraConfig(target_modules=["qkv"], r=2)
    plain = peft.get_peft_model(backbone(VIT, classes=3), config)
    plain.save_pretrained(tmp_path)
    with pytest.raises(BundleError, match="holds no classifier"):
        read(tmp_path, backbone=backbone(VIT), host=host)
    with pytest.raises(BundleError, match="does not say which backbone"):
        read(tmp_path, host=host)
    model = read(tmp_path, backbone=backbone(VIT, classes=3), host=host)  # with its own classifier
    with torch.no_grad():
        assert (model(photographs) - plain.eval()(photographs)).abs().max() < 1e-6


def test_a_head_that_timm_cannot_have_stays_behind(
    photographs: Tensor, host: Any, move: Any, tmp_path: Any
) -> None:
    task = {"name": "classification", "hidden": [8]}
    model = onlay.adapt(backbone(VIT), "peft", task=task, num_classes=3, host=host).eval()
    move(model.adapter)
    assert "hidden layers" in export(model, tmp_path / "theirs")
    plain = peft.PeftModel.from_pretrained(backbone(VIT), tmp_path / "theirs").eval()
    with torch.no_grad():
        pooled = model.anatomy.encode(photographs).pooled
        assert (plain(photographs) - pooled).abs().max() < 1e-6


def test_a_bundle_of_another_method_is_refused(host: Any, tmp_path: Any) -> None:
    model = onlay.adapt(backbone(VIT), "bitfit", num_classes=3, host=host)
    with pytest.raises(BundleError, match="adapter is one of `bitfit`"):
        export(model, tmp_path / "theirs")


def test_a_tensor_too_few_is_told(host: Any, tmp_path: Any) -> None:
    path = saved(tmp_path) / "adapter_model.safetensors"
    state = copy.copy(load_file(path))
    gone = state.pop("base_model.model.blocks.1.attn.qkv.lora_B.weight")
    save_file(state, path)
    assert gone.shape == (96, 2)
    with pytest.raises(BundleError, match=r"blocks\.1\.attn\.qkv\.lora_B\.weight` is missing"):
        read(tmp_path, backbone=backbone(VIT), host=host)
