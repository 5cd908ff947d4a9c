"""A tensor that stands in for one of the backbone's is one object under both of its names, whatever
is done to the module."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import onlay
from onlay.host import PluginHost
from onlay.testing import tiny_backbone

HOST = PluginHost.discover()


def normed(freeze_bn=False):
    """A tiny backbone with a batch norm behind its patch embedding, whose statistics drift."""
    built = tiny_backbone()
    built.anatomy.freeze_bn = freeze_bn
    built.module.embed = nn.Sequential(built.module.embed, nn.BatchNorm2d(16))
    return built


def drifting(method="bitfit"):
    """Statistics drift, and biases stand in beside them."""
    return onlay.adapt(normed(), method, num_classes=3, host=HOST)


class Plain(nn.Module):
    """As an adapted model is to a move, without an adapter."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone, self.adapter = backbone, nn.Module()
        self.attachments = SimpleNamespace(activate=lambda name: None)


def trained(model, images, steps=2):
    optimizer = torch.optim.SGD(model.trained_parameters().values(), lr=0.1)
    model.train()
    for _ in range(steps):
        model.loss((images, torch.tensor([0, 2]))).backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


def check_one_object(model):
    assert len(model.adapter.swaps) > 3
    inside = dict(model.backbone.named_parameters())
    inside |= dict(model.backbone.named_buffers())
    named = dict(model.adapter.thawed.named_parameters())
    named |= dict(model.adapter.thawed.named_buffers())
    assert set(named) == {swap.path for swap in model.adapter.swaps}
    for swap in model.adapter.swaps:
        assert named[swap.path] is inside[swap.path] is swap.copy, swap.path
        assert swap.original is not swap.copy


def with_flag(setter, move):
    def moved(model):
        setter(True)
        try:
            move(model)
        finally:
            setter(False)

    return moved


def assign(model):
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(state, assign=True)


def replace(model):
    """As distributed engines do: other objects in the tables of every module."""
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                own = nn.Parameter(parameter.detach().clone(), parameter.requires_grad)
                setattr(module, name, own)
        for name, buffer in list(module._buffers.items()):
            setattr(module, name, None if buffer is None else buffer.clone())


def switched_off(model):
    model.attachments.activate(None)
    model.double().float()


ROUNDED = ("by half", "by bfloat16")
MOVES = {
    "float64": lambda model: model.double(),
    "there and back": lambda model: model.double().float(),
    "by half": lambda model: model.half().float(),
    "by bfloat16": lambda model: model.to(torch.bfloat16).float(),
    "backbone alone": lambda model: model.backbone.double().float(),
    "a part of it alone": lambda model: model.backbone.embed.double().float(),
    "adapter alone": lambda model: model.adapter.double().float(),
    "overwritten": with_flag(
        torch.__future__.set_overwrite_module_params_on_conversion,
        lambda model: model.double().float(),
    ),
    "exchanged": with_flag(
        torch.__future__.set_swap_module_params_on_conversion,
        lambda model: model.double().float(),
    ),
    "assigned": assign,
    "replaced": replace,
    "while switched off": switched_off,
}


@pytest.mark.parametrize("how", MOVES)
def test_statistics_that_drift_after_a_move_are_those_of_the_bundle(how, images, tmp_path):
    model = trained(drifting(), images)
    MOVES[how](model)
    model.float()(images)
    check_one_object(model)
    before = model.backbone.embed[1].running_mean.clone()
    trained(model, images)
    assert (model.backbone.embed[1].running_mean - before).abs().max() > 1e-3
    expected = model(images)
    with model.disabled():
        pass
    assert torch.equal(model(images), expected)
    again = onlay.load(
        model.save_pretrained(tmp_path / "bundle"),
        backbone=normed(),
        host=HOST,
        allow_backbone_mismatch=how in ROUNDED,
    )
    if how in ROUNDED:
        again.backbone.load_state_dict(model.backbone.state_dict())
    assert torch.equal(again(images), expected)


@pytest.mark.parametrize("how", MOVES)
def test_originals_go_where_their_module_goes(how, images):
    """Detached, the backbone is what the same move makes of a bare one."""
    model, bare = trained(drifting(), images), normed()
    MOVES[how](model)
    MOVES[how](Plain(bare.module))
    found = model.detach().state_dict()
    for name, tensor in bare.module.state_dict().items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize("active", [True, False])
def test_a_move_to_another_device_takes_all_along(active):
    model = drifting("full")
    if not active:
        model.attachments.activate(None)
    model.to_empty(device="meta")
    for swap in model.adapter.swaps:
        assert swap.original.is_meta
        assert swap.copy.is_meta
    model.attachments.activate("default")
    check_one_object(model)
    assert all(tensor.is_meta for tensor in model.state_dict().values())
    model.to_empty(device="cpu")
    check_one_object(model)
    assert not any(t.is_meta for t in model.detach().state_dict().values())


def test_converting_to_synchronised_batch_norms_keeps_the_statistics(images):
    model = trained(drifting(), images)
    drifted = model.backbone.embed[1].running_mean
    nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert isinstance(model.backbone.embed[1], nn.SyncBatchNorm)
    check_one_object(model)
    assert model.trained_state()["adapter.thawed.embed.1.running_mean"].data_ptr() == (
        drifted.data_ptr()
    )
    model.train()
    assert model.backbone.embed[1].training


def test_copies_of_a_moved_model_have_their_own(images):
    model = trained(drifting(), images).double().float()
    twin = copy.deepcopy(model)
    check_one_object(twin)
    expected = model(images)
    trained(twin, images)
    assert torch.equal(model(images), expected)
    twin.detach()
    assert torch.equal(model(images), expected)


def test_the_bare_backbone_moves_no_statistics_of_a_model_in_training(images):
    """Nor does another adapter, whose statistics are frozen."""
    built = normed()
    untouched = copy.deepcopy(built.module.state_dict())
    one = onlay.adapt(built, "bitfit", num_classes=3, name="one", host=HOST)
    built.anatomy.freeze_bn = True
    two = onlay.adapt(built, "bitfit", num_classes=3, name="two", host=HOST)
    one.train(), two.train()
    one(images), two(images)
    with one.disabled() as bare:
        bare(images)
    one.detach()
    for name, tensor in two.detach().state_dict().items():
        assert torch.equal(tensor, untouched[name]), name


def test_each_model_of_one_backbone_has_its_own_mode(images):
    """Evaluating one model does not stop the statistics of another that is in training."""
    built = normed()
    one = onlay.adapt(built, "bitfit", num_classes=3, name="one", host=HOST).train()
    two = onlay.adapt(built, "bitfit", num_classes=3, name="two", host=HOST).eval()
    expected = two(images)
    statistics = "adapter.thawed.embed.1.running_mean"
    before = {m.name: m.trained_state()[statistics].clone() for m in (one, two)}
    one(images)
    assert not torch.equal(one.trained_state()[statistics], before["one"])
    assert torch.equal(two(images), expected)
    assert torch.equal(two.trained_state()[statistics], before["two"])


def test_copies_that_lie_aside_follow_when_they_are_next_in_use(images):
    built = normed()
    one = onlay.adapt(built, "bitfit", num_classes=3, name="one", host=HOST).eval()
    two = onlay.adapt(built, "bitfit", num_classes=3, name="two", host=HOST).eval()
    expected = two(images)
    one.double()(images.double())
    torch.testing.assert_close(two.double()(images.double()).float(), expected)
    check_one_object(two)
    one.float(), two.to(torch.float32)
    torch.testing.assert_close(two(images), expected)
