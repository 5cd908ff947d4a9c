"""timm's models under core's verbs: alive, merged, detached, copied, checkpointed, compiled."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

import onlay
from onlay.anatomy import Anatomy, BuiltBackbone, OutputOf
from onlay.errors import AnatomyError, CannotFold
from onlay.host import PluginHost
from onlay.model.adapted import AdaptedModel
from onlay_image.backbones.build import adopt

Make = Callable[..., nn.Module]

METHODS = '''
"""A low-rank branch into q, k, v, and prompts after every block: what LoRA and deep prompts do;
and at parts of sites what LoRA and IA3 do."""

from typing import Literal

import torch
from torch import nn

from onlay import hookimpl
from onlay.anatomy import Affine
from onlay.config.base import Config
from onlay.descriptors import Method


class LowRankConfig(Config):
    name: Literal["low_rank"] = "low_rank"
    last_blocks: int = 99


class PartsConfig(Config):
    name: Literal["in_parts"] = "in_parts"


class PromptsConfig(Config):
    name: Literal["prompts"] = "prompts"


class LowRank(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        self.down = nn.Parameter(0.2 * torch.randn(2, width))
        self.up = nn.Parameter(0.2 * torch.randn(out, 2))

    def forward(self, x):
        return x @ self.down.T @ self.up.T

    def affine(self):
        return Affine(self.up @ self.down)


class Scale(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = nn.Parameter(scale + torch.rand_like(scale))

    def forward(self, x):
        return x * self.scale


class Prompts(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(2, width))

    def forward(self):
        return self.tokens


def low_rank(place, config):
    for block in place.blocks[-config.last_blocks:]:
        source, target = block.site("attn.in"), block.site("qkv.out")
        place.branch(source, target, LowRank(source.width, target.width))


def in_parts(place, config):
    for block in place.blocks:
        for part in (block.site("qkv.out.q"), block.site("qkv.out.v")):
            place.branch(block.site("attn.in"), part, LowRank(block.width, part.width))
        for site in (block.site("qkv.out.k"), block.site("fc2.in")):
            place.rewrite(site, Scale(torch.ones(site.width)))
    pixels = place.site("input")
    place.rewrite(pixels, Scale(pixels.spread(torch.ones(pixels.width))))


def prompts(place, config):
    for block in place.blocks[:-1]:
        place.insert(block, Prompts(block.width), count=2)


@hookimpl
def register_methods():
    here = "METHODS"
    yield Method(name="low_rank", config=LowRankConfig, attach=f"{here}:low_rank", summary="")
    yield Method(name="in_parts", config=PartsConfig, attach=f"{here}:in_parts", summary="")
    yield Method(name="prompts", config=PromptsConfig, attach=f"{here}:prompts", summary="",
                 needs=frozenset({"insertion"}))
'''


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> PluginHost:
    folder = tmp_path_factory.mktemp("plugin")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        path = folder / "image_test_methods.py"
        path.write_text(METHODS.replace("METHODS", "image_test_methods"))
        import image_test_methods  # type: ignore[import-not-found]

        made = PluginHost.discover(only="image")
        made.add(image_test_methods, name="test-methods")
        yield made


def adapted(model: Any, method: Any, host: PluginHost) -> AdaptedModel:
    torch.manual_seed(5)
    return onlay.adapt(model, method, num_classes=4, host=host).eval()


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


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("vit", {"depth": 1}),
        ("eva02_split", {"depth": 1}),
        ("swinv2", {"depths": (2,), "num_heads": (2,)}),
    ],
)
def test_compiled(name: str, kwargs: dict[str, Any], make: Make, host: PluginHost) -> None:
    """One graph, without a break; `eager` because code generation is not what is tested."""
    adapter = adapted(make(name, **kwargs), "in_parts", host)
    images = torch.randn(2, 3, *adapter.backbone.patch_embed.img_size)
    torch._dynamo.reset()
    compiled = torch.compile(adapter, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), adapter(images), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [("vit", {"depth": 1}), ("beit", {"depth": 1}), ("swin", {"depths": (2,), "num_heads": (2,)})],
)
def test_exported_by_torch(name: str, kwargs: dict[str, Any], make: Make, host: PluginHost) -> None:
    adapter = adapted(make(name, **kwargs), "in_parts", host)
    images = torch.randn(2, 3, *adapter.backbone.patch_embed.img_size)
    program = torch.export.export(adapter, (images,))
    torch.testing.assert_close(program.module()(images), adapter(images), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["vit", "beit", "eva02_split", "dinov3", "swin"])
def test_a_bundle_and_back(name: str, make: Make, host: PluginHost, tmp_path: Path) -> None:
    model = make(name)
    adapter = adapted(model, "low_rank", host)
    images = torch.randn(2, 3, *model.patch_embed.img_size)
    logits = adapter(images)
    adapter.save_pretrained(tmp_path / "bundle")
    adapter.detach()
    again = onlay.load(tmp_path / "bundle", backbone=model, host=host).eval()
    assert torch.equal(again(images), logits)


class Trainers(nn.Module):
    """As a trainer's module holds a backbone: beside a head of its own and a loss."""

    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.criterion = nn.CrossEntropyLoss()


@pytest.mark.parametrize(
    "wrap",
    [
        torch.compile,
        nn.DataParallel,
        lambda model: Trainers(backbone=model, head=nn.Linear(4, 2)),
        lambda model: nn.DataParallel(torch.compile(Trainers(net=nn.Sequential(model)))),
        lambda model: Trainers(first=model, second=model),
    ],
)
def test_what_is_wrapped_around_a_backbone_is_looked_through(make: Make, wrap: Any) -> None:
    backbone = make("vit")
    model = onlay.adapt(wrap(backbone), "bitfit", num_classes=3)
    assert model.backbone is backbone
    assert model.detach() is backbone


def test_of_several_backbones_none_is_guessed(make: Make) -> None:
    two = Trainers(student=make("vit"), teacher=make("vit"))
    with pytest.raises(AnatomyError, match="several backbones, `student` and `teacher`: give the"):
        onlay.adapt(two, "linear", num_classes=2)


def test_a_wrapped_model_that_cannot_be_adapted_is_named() -> None:
    held = Trainers(backbone=timm.create_model("resnet10t", pretrained=False))
    with pytest.raises(AnatomyError, match="`ResNet` models cannot be adapted"):
        onlay.adapt(held, "linear", num_classes=2)
