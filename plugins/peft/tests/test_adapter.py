"""peft's layers at sites: numbers by hand, the bundle, merging, coming off again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrizations, prune

import onlay
from onlay.errors import AnatomyError, CannotFold, ConfigError
from onlay.pages.changes import CHANGE
from onlay.pages.observing import observe
from onlay.testing import tiny_backbone
from onlay_peft.catalogue import tuners
from onlay_peft.config import PeftMethodConfig
from onlay_peft.promises import traits

SMALL: dict[str, dict[str, Any]] = {
    "boft": {"boft_block_size": 4},
    "bone": {"r": 4},
    "c3a": {"block_size": 16},
    "fourierft": {"n_frequency": 16},
    "glora": {"r": 4},
    "gralora": {"r": 4, "gralora_k": 2},
    "miss": {"r": 4},
    "oft": {"r": 0, "oft_block_size": 4},
    "psoft": {"r": 4},
    "randlora": {"r": 4},
    "road": {"group_size": 8},
    "shira": {"r": 2},
    "vblora": {"vector_length": 4, "num_vectors": 8, "topk": 2},
    "vera": {"r": 4},
    "waveft": {"n_frequency": 16},
}
"""Options of the tuners whose own defaults are for wide layers."""
SITES = ["qkv.out", "mlp.out"]


def test_lora_by_hand(adapt: Any, images: Tensor) -> None:
    """W + alpha / r B A in the place of W, at one site of one block."""
    built = tiny_backbone()
    options = {"r": 1, "lora_alpha": 3}
    model = adapt(built, sites=["blocks.1.mlp.out"], options=options)
    layer = model.adapter.replaced.blocks._modules["1"].mlp.fc2.layer
    by_hand = tiny_backbone()
    with torch.no_grad():
        layer.lora_A.default.weight.copy_(torch.arange(32.0)[None] / 32)
        layer.lora_B.default.weight.fill_(0.5)
        by_hand.module.blocks[1].mlp.fc2.weight += 3 * 0.5 * torch.arange(32.0) / 32
        torch.testing.assert_close(model.backbone(images), by_hand.module(images))
    assert model.adapter.sites == ["blocks.1.mlp.out"]
    assert model.trainable_report().method == 32 + 16


@pytest.mark.parametrize("made", [parametrizations.weight_norm, prune.identity])
def test_a_layer_that_makes_its_weight_anew_is_refused(made: Any, adapt: Any) -> None:
    """peft would train beside the weight of this moment."""
    built = tiny_backbone()
    made(built.module.blocks[1].mlp.fc2, "weight")
    with pytest.raises(
        AnatomyError, match=r"^`blocks\.1\.mlp\.fc2` \(.*has a `weight` that is not"
    ):
        adapt(built, sites=["mlp.out"])


def test_ia3_by_hand(adapt: Any, images: Tensor) -> None:
    """A feedforward layer is scaled at its input, another one at its output, bias and all."""
    options = {"feedforward_modules": ["mlp.out"]}
    model = adapt(tuner="ia3", sites=["fc1.out", "mlp.out"], options=options)
    by_hand = tiny_backbone().module
    with torch.no_grad():
        for p in model.adapter.parameters():
            p.copy_(torch.linspace(0.5, 1.5, p.numel()).view_as(p))
        for block in by_hand.blocks:
            scale = torch.linspace(0.5, 1.5, 32)
            block.mlp.fc1.weight.mul_(scale[:, None])
            block.mlp.fc1.bias.mul_(scale)
            block.mlp.fc2.weight.mul_(scale)
        torch.testing.assert_close(model.backbone(images), by_hand(images))


def test_a_rank_for_each_site(adapt: Any) -> None:
    """One block's entry outranks that of all blocks, whatever their order."""
    options = {"r": 5, "rank_pattern": {"blocks.1.qkv.out": 2, "qkv.out": 3}}
    model = adapt(sites=["qkv.out", "mlp.out"], options=options)
    ranks = {r.map.path: r.module.layer.r["default"] for r in model.adapter.replacements}
    assert ranks == {
        "blocks.0.attn.qkv": 3,
        "blocks.0.mlp.fc2": 5,
        "blocks.1.attn.qkv": 2,
        "blocks.1.mlp.fc2": 5,
    }


@pytest.mark.parametrize("tuner", tuners())
def test_every_tuner_keeps_what_it_promises(
    tuner: str, adapt: Any, move: Any, images: Tensor
) -> None:
    """`traits` is written by hand; peft itself is asked here whether it is true."""
    built = tiny_backbone()
    bare = built.module(images).detach()
    config = PeftMethodConfig(tuner=tuner, sites=tuple(SITES), options=SMALL.get(tuner, {}))
    model = adapt(built, **config.model_dump(exclude={"name"}))
    with torch.no_grad():
        starts = (model.backbone(images) - bare).abs().max().item() < 1e-6
    promised = traits(config, model.anatomy.provides)
    assert starts == ("identity" in promised)
    model.train().loss((images, torch.tensor([0, 2]))).backward()
    move(model.eval())
    with torch.no_grad():
        adapted = model(images)
        assert (model.backbone(images) - bare).abs().max() > 1e-4
    if "foldable" in promised:
        merged = model.merge()
        assert not list(merged.adapter.parameters())
        assert not merged.adapter.replacements
        with torch.no_grad():
            assert (merged(images) - adapted).abs().max() < 1e-5
    else:
        with pytest.raises(CannotFold, match="peft does not merge it"):
            model.merge()
    assert torch.equal(model.detach()(images), bare)


@pytest.mark.parametrize("tuner", tuners())
def test_a_bundle_is_the_adapter_alone(
    tuner: str, adapt: Any, move: Any, images: Tensor, host: Any, tmp_path: Any
) -> None:
    """No frozen weight, shared projections once, and the same outputs when it is read."""
    model = adapt(tuner=tuner, sites=SITES, options=SMALL.get(tuner, {}))
    move(model)
    state = model.trained_state()
    assert not any("base_layer" in name for name in state)
    frozen = {p.data_ptr() for p in model.backbone.parameters()}
    assert not any(tensor.data_ptr() in frozen for tensor in state.values())
    assert len({t.data_ptr() for t in state.values()}) == len(state)
    again = onlay.load(
        model.save_pretrained(tmp_path / "bundle"), backbone=tiny_backbone(), host=host
    )
    with torch.no_grad():
        assert torch.equal(again(images), model(images))


def test_shared_projections_of_vera_are_held_once(adapt: Any) -> None:
    model = adapt(tuner="vera", sites=SITES, options={"r": 4})
    names = [name for name in model.trained_state() if "vera_A" in name or "vera_B" in name]
    assert len(names) == 2
    shapes = {tuple(model.trained_state()[name].shape) for name in names}
    assert shapes == {(4, 32), (48, 4)}  # the widest input, the widest output


def test_what_a_tuner_keeps_fixed_is_in_the_bundle_and_does_not_train(
    adapt: Any, move: Any, images: Tensor, host: Any, tmp_path: Any
) -> None:
    """MiCA trains A alone; B is drawn once from the frozen weight."""
    options = {"r": 2, "init_lora_weights": "mica"}
    try:
        model = adapt(options=options)
    except ConfigError:
        pytest.skip("this version of peft has no MiCA")
    assert [n for n in model.trained_parameters() if "lora_B" in n] == []
    assert len([n for n in model.trained_state() if "lora_B" in n]) == 2
    move(model)
    again = onlay.load(
        model.save_pretrained(tmp_path / "bundle"), backbone=tiny_backbone(), host=host
    )
    with torch.no_grad():
        assert torch.equal(again(images), model(images))


def test_dora_folds_in_bfloat16(adapt: Any, move: Any, images: Tensor) -> None:
    model = adapt(sites=SITES, options={"r": 4, "use_dora": True})
    move(model)
    model = model.bfloat16()
    with torch.no_grad():
        expected = model(images.bfloat16())
        found = model.merge()(images.bfloat16())
    assert found.dtype is torch.bfloat16
    assert (found - expected).abs().max() < 0.05


def test_dropout_acts_while_training_only(adapt: Any, move: Any, images: Tensor) -> None:
    model = adapt(options={"lora_dropout": 0.5})
    move(model)
    with torch.no_grad():
        assert torch.equal(model(images), model(images))
        model.train()
        assert not torch.equal(model(images), model(images))


@pytest.mark.parametrize("start", ["pissa", "olora"])
def test_a_start_that_changes_frozen_weights_is_refused(
    start: str, adapt: Any, images: Tensor
) -> None:
    built = tiny_backbone()
    bare = built.module(images).detach()
    with pytest.raises(ConfigError, match="starts by changing the frozen weights"):
        adapt(built, options={"r": 2, "init_lora_weights": start})
    assert torch.equal(built.module(images), bare)
    assert all(p.requires_grad for p in built.module.parameters())


@pytest.mark.parametrize(
    ("fields", "kind", "told"),
    [
        ({"options": {"r": "eight"}}, ConfigError, r"method\.options\.r: .*valid integer"),
        ({"options": {"r": 0}}, ConfigError, "peft cannot make `lora` here: `r` should be a pos"),
        ({"tuner": "oft", "options": {"r": 3}}, ConfigError, "peft .* `oft`"),
        ({"sites": ["blocks.2.qkv.out"]}, AnatomyError, "the backbone has 2 blocks"),
        ({"sites": ["embed.out"]}, AnatomyError, r"no site `embed\.out` \(have: `input`, "),
    ],
)
def test_what_does_not_suit_the_backbone_is_told(
    fields: dict[str, Any], kind: type[Exception], told: str, adapt: Any
) -> None:
    with pytest.raises(kind, match=told) as caught:
        adapt(**fields)
    assert "\n" not in str(caught.value)


def test_inspect_shows_the_change_at_every_block(adapt: Any, images: Tensor, move: Any) -> None:
    model = adapt()
    move(model)
    seen = observe(model, Path("picture.png"), images[:1])
    changes = [signal for signal in seen.signals if signal.name == CHANGE]
    assert [signal.block for signal in changes] == [0, 1]
    assert all(signal.patches_NK.any() for signal in changes)
