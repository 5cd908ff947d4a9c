"""What is said of the name of a backbone before anything is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from small_vit import config, one_sentence
from torch import nn

from onlay.errors import AnatomyError, ConfigError, UnknownName
from onlay_image.backbones.build import build
from onlay_image.backbones.config import TimmConfig
from onlay_image.backbones.traits import provides

Make = Callable[..., nn.Module]


def test_an_untagged_name_lists_the_tags() -> None:
    with pytest.raises(ConfigError) as error:
        build(TimmConfig(model="vit_base_patch16_224"))
    text = one_sentence(error)
    assert "`vit_base_patch16_224` does not say which weights; give the full tag" in text
    assert "`vit_base_patch16_224.augreg_in21k`" in text
    assert "`vit_base_patch16_224.mae`" in text


def test_an_unknown_tag_lists_the_tags() -> None:
    with pytest.raises(
        UnknownName, match=r"no weights `vit_tiny_patch16_224\.mae` \(have: `vit_tiny"
    ):
        build(TimmConfig(model="vit_tiny_patch16_224.mae"))


def test_an_unknown_model_names_near_misses() -> None:
    with pytest.raises(UnknownName) as error:
        build(TimmConfig(model="vit_tny_patch16_224.augreg_in21k"))
    assert "timm has no model `vit_tny_patch16_224`; did you mean `vit_tiny_patch16_224`" in (
        one_sentence(error)
    )


def test_other_architectures_name_the_supported_ones() -> None:
    with pytest.raises(AnatomyError, match=r"`resnet50` cannot be adapted; supported are timm's"):
        build(TimmConfig(model="resnet50.a1_in1k"))


@pytest.mark.parametrize("tag", ["", ".untrained"])
def test_a_model_without_weights_says_so(tag: str) -> None:
    with pytest.raises(ConfigError) as error:
        build(TimmConfig(model=f"vit_base_patch16_18x2_224{tag}"))
    assert f"timm has no weights for `vit_base_patch16_18x2_224{tag}`" in one_sentence(error)


def test_a_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.errors import LocalEntryNotFoundError

    def unreachable(*args: Any, **kwargs: Any) -> None:
        raise LocalEntryNotFoundError("Check your connection\nand try again")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", unreachable)
    with pytest.raises(ConfigError) as error:
        build(TimmConfig(model="vit_tiny_patch16_224.augreg_in21k"))
    text = one_sentence(error)
    assert "the weights of `vit_tiny_patch16_224.augreg_in21k` cannot be fetched" in text
    monkeypatch.setattr("timm.models._factory.load_model_config_from_hf", unreachable)
    with pytest.raises(ConfigError, match="`hf-hub:some/vit` cannot be fetched"):
        build(TimmConfig(model="hf-hub:some/vit"))


def test_a_hub_with_a_model_that_timm_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    def config_of(*args: Any, **kwargs: Any) -> tuple[dict[str, Any], str, dict[str, Any]]:
        return {}, "odd_net", {}

    monkeypatch.setattr("timm.models._factory.load_model_config_from_hf", config_of)
    with pytest.raises(ConfigError) as error:
        build(TimmConfig(model="hf-hub:some/odd_net"))
    text = "`hf-hub:some/odd_net` is a `odd_net`, and timm has no such architecture"
    assert text in one_sentence(error)


def test_an_argument_that_timm_does_not_know() -> None:
    with pytest.raises(
        ConfigError, match=r"timm's `beit_base_patch16_224` takes no `dynamic_img_size`"
    ):
        build(config(model="beit_base_patch16_224", dynamic_img_size=True))


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("vit_tiny_patch16_224", {}),
        ("vit_base_patch16_siglip_224", {}),
        ("vit_medium_patch16_reg4_gap_256", {}),
        ("vit_tiny_patch16_224", {"class_token": False, "global_pool": "avg"}),
        ("beitv2_base_patch16_224", {}),
        ("eva02_tiny_patch14_224", {}),
        ("vit_small_patch16_dinov3", {}),
    ],
)
def test_traits_told_from_the_name_are_the_anatomys(name: str, kwargs: dict[str, Any]) -> None:
    own = config(model=name, img_size=None, model_kwargs={"depth": 1} | kwargs)
    assert provides(own) == build(own).anatomy.provides


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"])
def test_traits_of_swins(name: str) -> None:
    own = config(model=name, img_size=None, model_kwargs={"depths": (1, 1), "num_heads": (3, 6)})
    assert provides(own) == build(own).anatomy.provides
    hub = TimmConfig(model=f"hf-hub:timm/{name}.ms_in1k")
    assert provides(hub) == provides(own)
