"""timm's families: each is adapted, or refused in one sentence; a distilled DeiT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

import onlay
from onlay.errors import AnatomyError, CannotFold
from onlay.host import PluginHost
from onlay_image.backbones.build import adopt
from onlay_image.export import export

Make = Callable[..., nn.Module]

REFUSED = {
    "vitamin_small_224": "MLPs of kind `GeGluMlp` cannot be adapted",
    "vit_base_patch16_rpn_224": "blocks of kind `ResPostBlock` cannot be adapted",
    "vit_small_patch16_18x2_224": "blocks of kind `ParallelThingsBlock` cannot be adapted",
    "vit_relpos_small_patch16_224": "`VisionTransformerRelPos` models cannot be adapted",
    "samvit_base_patch16_224": "`VisionTransformerSAM` models cannot be adapted",
    "naflexvit_base_patch16_gap": "`NaFlexVit` models cannot be adapted",
    "swinv2_cr_tiny_224": "`SwinTransformerV2Cr` models cannot be adapted",
    "levit_128s": "`LevitDistilled` models cannot be adapted",
}


@pytest.mark.parametrize("name", REFUSED)
def test_families_that_are_refused_in_a_sentence(name: str) -> None:
    with torch.device("meta"):
        model = timm.create_model(name, pretrained=False)
    with pytest.raises(AnatomyError, match=REFUSED[name]) as error:
        adopt(model)
    assert "supported are" in str(error.value)


@pytest.mark.parametrize("name", ["vit_base_mci_224", "vit_small_r26_s32_224"])
def test_hybrids_read_three_colours(name: str) -> None:
    with torch.device("meta"):
        model = timm.create_model(name, pretrained=False)
    built = adopt(model)
    assert built is not None
    assert built.input_spec["in_chans"] == 3


def test_a_distilled_deit_pools_as_timm_does(make: Make) -> None:
    model = make("deit_distilled")
    images = torch.randn(2, 3, *model.patch_embed.img_size)
    adapted = onlay.adapt(model, "linear", num_classes=3).eval()
    with torch.no_grad():
        features = adapted.anatomy.encode(images)
        expected = model.forward_head(model.forward_features(images), pre_logits=True)
    torch.testing.assert_close(features.pooled, expected)
    assert features.patches.shape[1] == features.layout.height * features.layout.width
    assert features.layout.prefix == 2


def test_a_distilled_deit_becomes_a_plain_model_of_timm(make: Make, tmp_path: Path) -> None:
    model = make("deit_distilled")
    adapted = onlay.adapt(model, "bitfit", num_classes=3).eval()
    with torch.no_grad():
        for parameter in adapted.trained_parameters().values():
            parameter.add_(0.1)
    images = torch.randn(2, 3, *model.patch_embed.img_size)
    export(adapted.merge(), tmp_path / "plain")
    plain = timm.create_model(f"local-dir:{tmp_path / 'plain'}", pretrained=True).eval()
    torch.testing.assert_close(plain(images), adapted(images), atol=1e-5, rtol=1e-5)
    other = onlay.adapt(
        make("deit_distilled"),
        "linear",
        task={"pool": "cls", "name": "classification"},
        num_classes=3,
    )
    with pytest.raises(CannotFold, match="cannot pool as the head does"):
        export(other.merge(), tmp_path / "other")


def test_a_distilled_deit_by_name() -> None:
    own = {"embed_dim": 24, "num_heads": 2, "depth": 2}
    name = {"name": "timm", "model": "deit_tiny_distilled_patch16_224", "pretrained": False}
    config = {**name, "img_size": 32, "model_kwargs": own}
    host = PluginHost.discover()
    model = onlay.adapt(config, "bitfit", num_classes=2, host=host)
    assert model(torch.randn(1, 3, 32, 32)).shape == (1, 2)
