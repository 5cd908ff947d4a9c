"""None"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from onlay.anatomy import Placement
from onlay.errors import BundleError
from onlay_peft.adapter import attach
from onlay_peft.exporter import export
from onlay_peft.importer import read

pytest.importorskip("onlay_image", reason="the backbones are timm's, which come with onlay-image")
timm = pytest.importorskip("timm", reason="comes with onlay-image")
import peft  # noqa: E402
from peft_beside import (  # noqa: E402
    COLUMN,
    PYRAMID,
    THEIR_LAYERS,
    TUNERS,
    VIT,
    backbone,
    ours,
)

BEIT = ("beit_base_patch16_224", COLUMN)
SWIN_V2 = ("swinv2_tiny_window8_256", PYRAMID)


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
