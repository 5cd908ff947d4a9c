"""Hooks of others, models that were detached, and parts that were thawed by hand, beside what an
adapter does with the backbone."""

from __future__ import annotations

import copy

import pytest
import torch

import onlay
from onlay.errors import AnatomyError, BundleError
from onlay.host import PluginHost
from onlay.testing import tiny_backbone

HOST = PluginHost.discover()


def adapted(built, method="bitfit", **more):
    """Its trained tensors lie away from where they start."""
    model = onlay.adapt(built, method, num_classes=3, host=HOST, **more).eval()
    with torch.no_grad():
        for parameter in model.trained_parameters().values():
            parameter.add_(0.1)
    return model


def test_hooks_of_others_see_and_change_what_the_adapted_network_computes(
    built, images, adapt_with, pieces
):
    """Whether they were registered before the adapter or behind it, and whoever had a turn
    since."""

    def attach(place):
        for site in ("attn.in", "mlp.out"):
            place.rewrite(place.blocks[0].site(site), pieces["ScaleShift"](16))

    def of(model):
        seen.clear()
        return model(images), seen[-1]

    seen, block = [], built.module.blocks[0]
    earlier = [
        block.attn.register_forward_pre_hook(lambda module, args: (args[0] + 1, *args[1:])),
        block.mlp.register_forward_hook(lambda module, args, out: seen.append(out) or 2 * out),
    ]
    model = adapt_with(built, attach).eval()
    output, read = of(model)
    adapt_with(built, attach, name="other")(images)  # and back: hooks of ours are installed anew
    for later in range(2):
        again, once_more = of(model)
        assert torch.equal(again, output)
        assert torch.equal(once_more, read)
        if not later:
            for handle in earlier:
                handle.remove()
            assert not torch.allclose(model(images), output)
            block.attn.register_forward_pre_hook(lambda module, args: (args[0] + 1, *args[1:]))
            block.mlp.register_forward_hook(lambda module, args, out: seen.append(out) or 2 * out)


def test_a_hook_reads_the_site_as_it_was_rewritten(built, images, adapt_with, pieces):
    rewrite = pieces["ScaleShift"](16)
    mlp, read = built.module.blocks[0].mlp, []
    mlp.register_forward_hook(lambda module, args, out: read.append(out))
    model = adapt_with(built, lambda p: p.rewrite(p.blocks[0].site("mlp.out"), rewrite)).eval()
    model(images)
    with model.disabled() as backbone:
        backbone(images)
    torch.testing.assert_close(read[-2], rewrite(read[-1]))


def test_a_model_that_was_detached_knows_what_its_backbone_carries_now(built, images, tmp_path):
    """As in a loop over methods in which each is saved when the next one is there."""
    bare = built.module(images)
    first = adapted(built)
    expected = first(images)
    first.detach()
    for model in (first, copy.deepcopy(first)):
        later = adapted(model.built, "full")
        with model.disabled() as backbone:
            assert torch.equal(backbone(images), bare)
        model.save_pretrained(tmp_path / "bundle")
        later.detach()
        again = onlay.load(tmp_path / "bundle", backbone=tiny_backbone(), host=HOST)
        torch.testing.assert_close(again(images), expected)


def test_what_is_thawed_by_hand_is_in_no_bundle_and_that_is_said(built, tmp_path):
    model = adapted(built)
    cls_token = built.module.cls_token.requires_grad_(True)
    with pytest.raises(BundleError, match="`cls_token` of the backbone was made to train by hand"):
        model.save_pretrained(tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
    cls_token.requires_grad_(False)
    model.save_pretrained(tmp_path / "bundle")
    cls_token.requires_grad_(True)
    model.detach()
    model.save_pretrained(tmp_path / "bundle")  # flags of a backbone that was given back


def test_a_detached_model_loads_nothing_into_the_backbone(built, images):
    model = adapted(built, "full")
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    bare = model.detach()(images)
    with pytest.raises(AnatomyError, match="attached to nothing any more"):
        model.load_state_dict(state)
    assert torch.equal(built.module(images), bare)
