"""What works for classification works for dense tasks: one picture a step, recomputed blocks,
compilers, several adapters on one backbone, merged networks and programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import onlay
from onlay import PluginHost
from onlay.anatomy import BuiltBackbone
from onlay.descriptors import resolve
from onlay.model.adapted import AdaptedModel
from onlay.pages.observing import observe
from onlay_image.backbones.build import build
from onlay_image.backbones.config import TimmConfig

HOST = PluginHost.discover(only="dense,image")
SIZE = (20, 28)
"""No multiple of the patch."""
VIT = {"embed_dim": 16, "depth": 2, "num_heads": 2, "patch_size": 8}
SWIN = {"embed_dim": 16, "depths": (1, 1), "num_heads": (2, 2), "window_size": 4}
FAMILIES = {"vit_tiny_patch16_224": VIT, "swin_tiny_patch4_window7_224": SWIN}
EACH = list(zip(FAMILIES, ("segmentation", "depth"), strict=True))
"""For what takes seconds: each family once, and each task."""
SMALL = {"name": "segformer", "width": 8}


def backbone(model: str = "vit_tiny_patch16_224") -> BuiltBackbone:
    kwargs = FAMILIES[model]
    built = build(TimmConfig(model=model, pretrained=False, img_size=SIZE, model_kwargs=kwargs))
    built.module.eval()
    return built


def adapted(built: BuiltBackbone, task: str, decoder: Any = SMALL, **given: Any) -> AdaptedModel:
    torch.manual_seed(0)
    labels, settings = ("a", "b", "c"), {"name": task, "decoder": decoder}
    return onlay.adapt(built, "bitfit", task=settings, labels=labels, host=HOST, **given)


def batch(model: AdaptedModel, count: int) -> tuple[Tensor, Tensor]:
    """What the task learns from, at the odd size."""
    torch.manual_seed(1)
    _, inputs, targets = resolve(HOST.tasks[model.task.name].example)(model.anatomy, count)  # type: ignore[arg-type]
    return inputs[..., : SIZE[0], : SIZE[1]], targets[..., : SIZE[0], : SIZE[1]]


def gradients(model: AdaptedModel, given: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    model.zero_grad()
    torch.manual_seed(3)
    model.loss(given).backward()
    return {n: p.grad.clone() for n, p in model.trained_parameters().items() if p.grad is not None}


@pytest.mark.parametrize("task", ["segmentation", "depth"])
@pytest.mark.parametrize("decoder", ["linear", "auto", "fpn", "upernet", SMALL])
def test_a_single_picture_trains_all(task: str, decoder: Any) -> None:
    """In training mode; in bfloat16 under autocast the gradients are near."""
    model = adapted(backbone(), task, decoder).train()
    given = batch(model, 1)
    exact = gradients(model, given)
    assert all(found.isfinite().all() for found in exact.values())
    assert exact.keys() == model.trained_parameters().keys()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = gradients(model, given)
    ours, theirs = (torch.cat([x.flatten() for x in each.values()]) for each in (exact, rounded))
    assert torch.nn.functional.cosine_similarity(ours, theirs, dim=0) > 0.98


@pytest.mark.parametrize(("family", "task"), EACH)
def test_recomputed_and_compiled_it_learns_the_same(family: str, task: str) -> None:
    model = adapted(backbone(family), task).train()
    given = batch(model, 2)
    plain = gradients(model, given)
    model.set_grad_checkpointing(True)
    torch.testing.assert_close(gradients(model, given), plain, atol=1e-6, rtol=1e-5)
    model.set_grad_checkpointing(False)
    torch.compiler.reset()
    compiled: Any = torch.compile(model, backend="eager")
    torch.manual_seed(3)
    model.zero_grad()
    compiled(*given).backward()
    for name, parameter in model.trained_parameters().items():
        torch.testing.assert_close(parameter.grad, plain[name], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_two_dense_adapters_share_a_backbone_and_leave_it_as_it_was(family: str) -> None:
    built = backbone(family)
    before = {name: tensor.clone() for name, tensor in built.module.state_dict().items()}
    images = batch(adapted(backbone(family), "depth"), 2)[0]
    bare = built.anatomy.encode(images, levels=[1]).levels[0]
    models = [adapted(built, task, name=task) for task in ("segmentation", "depth")]
    alone = models[0].eval()(images)
    for model in models:
        optimizer = torch.optim.SGD(model.trained_parameters().values(), lr=0.1)
        model.train().loss(batch(model, 2)).backward()
        optimizer.step()
        model.eval()
    assert models[0](images).shape == (2, 3, *SIZE)
    assert models[1](images).shape == (2, *SIZE)
    assert not torch.equal(models[0](images), alone)
    first = models[0](images)
    models[1].detach()
    assert torch.equal(models[0](images), first)
    models[0].detach()
    assert torch.equal(built.anatomy.encode(images, levels=[1]).levels[0], bare)
    after = built.module.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize(("family", "task"), EACH)
@torch.no_grad()
def test_adapter_and_decoder_merge_and_become_a_program(family: str, task: str) -> None:
    """For batches of any size, of one size of pictures."""
    model = adapted(backbone(family), task).eval()
    for parameter in model.adapter.parameters():
        parameter.add_(0.1)
    merged, images = model.merge(), batch(model, 3)[0]
    expected = model(images)
    near = 1e-5 * max(1.0, expected.abs().max().item())
    torch.testing.assert_close(merged(images), expected, atol=near, rtol=1e-4)
    shapes = ({0: torch.export.Dim("batch", min=1, max=64)},)
    program = torch.export.export(merged, (images,), dynamic_shapes=shapes, strict=False).module()
    torch.testing.assert_close(program(images[:2]), expected[:2], atol=near, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_of_any_size_are_looked_at(family: str) -> None:
    """The bare backbone is given the same padded picture as the adapted one."""
    model = adapted(backbone(family), "segmentation")
    images = batch(model, 1)[0]
    seen = observe(model, Path("a.png"), images)
    assert seen.features.inputs.shape[-2:] == SIZE
    assert seen.signals
    assert all(len(signal.values_TK) >= signal.layout.count for signal in seen.signals)
