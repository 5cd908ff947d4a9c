"""timm's models with adapters: compiled, exported, saved, and inside other modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from adapted_timm import Make, adapted
from torch import nn

import onlay
from onlay.errors import AnatomyError
from onlay.host import PluginHost


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
