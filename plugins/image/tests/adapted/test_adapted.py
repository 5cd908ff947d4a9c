"""None"""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from adapted_timm import Make, adapted
from torch import Tensor, nn

from onlay.anatomy import Anatomy, BuiltBackbone, OutputOf
from onlay.errors import AnatomyError, CannotFold
from onlay.host import PluginHost
from onlay.model.adapted import AdaptedModel
from onlay_image.backbones.build import adopt


@torch.no_grad()
def test_low_rank_at_qkv_is_alive_and_merges(
    model: nn.Module, images: Tensor, host: PluginHost
) -> None:
    """Attaching runs the liveness check; a merged model has no adapter and the same logits."""
    adapter = adapted(model, "low_rank", host)
    assert adapter.trainable_report().method > 0
    logits = adapter(images)
    with adapter.disabled():
        assert (adapter.head(adapter.anatomy.encode(images)) - logits).abs().max() > 1e-3
    if any(block.site("attn.in").unfoldable for block in adapter.anatomy.blocks):
        with pytest.raises(CannotFold, match="no single linear map leads there"):
            adapter.merge()
        return
    merged = adapter.merge()
    assert not list(merged.adapter.parameters())
    torch.testing.assert_close(merged(images), logits, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_detach_gives_the_model_back_bit_for_bit(
    model: nn.Module, images: Tensor, host: PluginHost
) -> None:
    bare, before = model(images), {n: t.clone() for n, t in model.state_dict().items()}
    for method in ("low_rank", "prompts"):
        if method == "prompts" and hasattr(model, "layers"):
            continue
        adapter = adapted(model, method, host)
        changed = adapter(images)
        twin = copy.deepcopy(adapter)
        for parameter in twin.adapter.parameters():
            parameter.zero_()
        assert torch.equal(adapter(images), changed)
        assert not torch.equal(twin(images), changed)
        assert adapter.detach() is model
        assert torch.equal(model(images), bare)
        assert all(torch.equal(model.state_dict()[n], t) for n, t in before.items())


def test_prompts_and_gradients(model: nn.Module, images: Tensor, host: PluginHost) -> None:
    if hasattr(model, "layers"):
        with pytest.raises(AnatomyError, match=r"`insertion`.*windows of a fixed number of tokens"):
            adapted(model, "prompts", host)
        return
    adapter = adapted(model, "prompts", host)
    features = adapter.anatomy.encode(images, inserted=adapter.adapter.tokens)
    assert features.prompts.shape == (2, 2, model.embed_dim)
    adapter.loss((images, torch.tensor([0, 3]))).backward()
    assert all(p.grad.abs().max() > 0 for p in adapter.adapter.parameters())
    assert all(p.grad is None for p in adapter.backbone.parameters())


@pytest.mark.parametrize("name", ["beit", "eva02_functional", "swinv2"])
def test_a_dead_adapter_is_caught(name: str, make: Make, host: PluginHost) -> None:
    """A plain hook on `qkv`, as others have it, is never called; the check names the site."""
    built = adopt(make(name))
    with pytest.raises(AnatomyError, match=r"`blocks\.0\.qkv\.out`"):
        adapted(hooked_as_others_do(built), "low_rank", host)


def hooked_as_others_do(built: BuiltBackbone) -> BuiltBackbone:
    anatomy: Anatomy = built.anatomy
    for block in anatomy.blocks:
        site = block.sites["qkv.out"]
        block.sites["qkv.out"] = replace(site, port=OutputOf(block.module.attn.qkv))
    return built


@pytest.mark.parametrize(
    "name", ["vit", "beit", "eva02_functional", "eva02_split", "swin", "swinv2"]
)
def test_checkpointing_gives_the_same_gradients(name: str, make: Make, host: PluginHost) -> None:
    adapter = adapted(make(name), "in_parts", host)
    images = torch.randn(2, 3, *adapter.backbone.patch_embed.img_size)
    expected = gradients(adapter, images)
    adapter.set_grad_checkpointing(True)
    for own, other in zip(gradients(adapter, images), expected, strict=True):
        torch.testing.assert_close(own, other, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["vit", "beit", "dinov3"])
def test_checkpointing_with_prompts(name: str, make: Make, host: PluginHost) -> None:
    adapter = adapted(make(name), "prompts", host)
    images = torch.randn(2, 3, *adapter.backbone.patch_embed.img_size)
    expected = gradients(adapter, images)
    adapter.set_grad_checkpointing(True)
    for own, other in zip(gradients(adapter, images), expected, strict=True):
        torch.testing.assert_close(own, other, atol=1e-6, rtol=1e-5)


def gradients(adapter: AdaptedModel, images: Tensor) -> list[Tensor]:
    adapter.zero_grad()
    adapter.train()
    torch.manual_seed(7)  # Swin drops paths
    adapter.loss((images, torch.tensor([1, 2]))).backward()
    adapter.eval()
    return [parameter.grad.clone() for parameter in adapter.adapter.parameters()]
