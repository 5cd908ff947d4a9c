"""What decides a backbone's answers beside its weights: a bundle remembers it, and goes onto no
other."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from changed_bundles import resealed

import onlay
from onlay.errors import BundleError
from onlay.testing import tiny_backbone
from onlay.testing.tiny import TinyAnatomy


class Pooling(TinyAnatomy):
    """Of the tests' backbone, which pools by one of two ways."""

    mean = False

    @property
    def pooling(self):
        return "avg" if self.mean else "token"

    def encode(self, inputs, **kwargs):
        features = super().encode(inputs, **kwargs)
        return replace(features, pooled=features.patches.mean(1)) if self.mean else features


class AveragePooling(Pooling):
    mean = True


def pooling(anatomy):
    built = tiny_backbone()
    built.anatomy = anatomy(**vars(built.anatomy))
    return built


def saved(folder, host, **task):
    task = {"name": "classification", **task}
    model = onlay.adapt(pooling(Pooling), "bitfit", task=task, num_classes=2, host=host)
    return model.eval(), model.save_pretrained(folder / "bundle")


def test_another_pooling_is_refused_where_the_head_reads_it(tmp_path, host, images):
    _, bundle = saved(tmp_path, host)
    other = pooling(AveragePooling)
    with pytest.raises(BundleError, match="pools by `token`, and `tiny` pools by `avg`"):
        onlay.load(bundle, backbone=other, host=host)
    assert "_onlay_attachments" not in vars(other.module)
    onlay.load(bundle, backbone=other, host=host, allow_backbone_mismatch=True)


@pytest.mark.parametrize("pool", ["mean", "cls+max"])
def test_another_pooling_does_not_matter_to_a_head_that_pools_by_itself(
    pool, tmp_path, host, images
):
    model, bundle = saved(tmp_path, host, pool=pool)
    again = onlay.load(bundle, backbone=pooling(AveragePooling), host=host)
    assert torch.equal(again(images), model(images))


def test_a_pool_beside_others_matters(tmp_path, host):
    _, bundle = saved(tmp_path, host, pool="mean+pretrained")
    with pytest.raises(BundleError, match="pools by `token`"):
        onlay.load(bundle, backbone=pooling(AveragePooling), host=host)


def test_norms_with_another_eps_are_refused(bundle, host):
    other = tiny_backbone()
    other.module.norm.eps = 1e-3
    with pytest.raises(BundleError, match="have `eps` 1e-05, and those of `tiny` have 1e-05 and"):
        onlay.load(bundle, backbone=other, host=host)


def test_a_bundle_from_before_these_were_remembered(bundle, host):
    path = bundle / "adapter_config.json"
    data = json.loads(path.read_text())
    assert data["backbone"].pop("norm_eps") == [1e-5]
    assert data["backbone"].pop("pooling") == ""
    path.write_text(resealed(data))
    other = tiny_backbone()
    other.module.norm.eps = 1e-3
    onlay.load(bundle, backbone=other, host=host)


def test_a_device_that_torch_does_not_find(bundle, host):
    with pytest.raises(onlay.errors.ConfigError, match="device `gpu` cannot be used"):
        onlay.load(bundle, backbone=tiny_backbone(), host=host, device="gpu")


def test_what_is_no_trained_state(model):
    with pytest.raises(BundleError, match="must be a mapping of names to tensors, not a `None"):
        model.load_trained_state(None)
    arrays = {name: tensor.numpy() for name, tensor in model.trained_state().items()}
    with pytest.raises(BundleError, match=r"`.*` of a trained state must be a tensor, not a `nd"):
        model.load_trained_state(arrays)
