"""Backbones in half precision: adapter and head stay in float32 beside them, and a bundle knows its
weights when they were rounded."""

from __future__ import annotations

import copy
import json

import pytest
import torch

import onlay
from onlay.bundle import seal
from onlay.bundle.fingerprint import fingerprint
from onlay.errors import BundleError
from onlay.host import PluginHost
from onlay.testing import tiny_backbone

HOST = PluginHost.discover()
NARROW = [torch.bfloat16, torch.float16]


def in_dtype(dtype, seed=0):
    built = tiny_backbone(seed)
    built.module.to(dtype)
    return built


@pytest.fixture
def batch(images):
    return images, torch.tensor([0, 2])


@pytest.mark.parametrize("dtype", [*NARROW, torch.float64])
def test_what_adapts_is_float32_or_wider(dtype, batch, adapt_with, pieces):
    """All four verbs beside a backbone in `dtype`; images come as float32."""

    def attach(place):
        torch.manual_seed(0)
        first, last = place.blocks
        place.rewrite(first.site("attn.in"), pieces["ScaleShift"](16))
        branch = place.branch(last.site("mlp.in"), last.site("mlp.out"), pieces["Gated"](16))
        place.insert(first, pieces["Mean"](16), source=first.site("mlp.res"))
        place.insert(last, pieces["Mean"](16), source=branch)
        place.thaw(first.module.norm2)

    exact = adapt_with(in_dtype(torch.float32), attach).eval()
    expected = exact(batch[0])
    model = adapt_with(in_dtype(dtype), attach)
    if dtype == torch.float64:
        model.double()
    wide = torch.promote_types(dtype, torch.float32)
    output = model(batch[0])
    assert output.dtype == wide
    torch.testing.assert_close(output, expected.to(wide), atol=0.05, rtol=0.05)
    loss = model.loss(batch)
    loss.backward()
    for name, parameter in model.trained_parameters().items():
        assert parameter.dtype == (dtype if ".thawed." in name else wide), name
        if "block_out.inserts" not in name:  # the last ones are seen by no head
            assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("dtype", [*NARROW, torch.float64])
def test_an_adapter_is_made_beside_a_backbone_of_any_dtype(dtype, batch):
    model = onlay.adapt(in_dtype(dtype), "bitfit", num_classes=3, host=HOST)
    assert model(batch[0]).dtype == torch.promote_types(dtype, torch.float32)
    model.loss(batch).backward()


@pytest.mark.parametrize("dtype", NARROW)
def test_small_steps_are_not_lost_to_rounding(dtype, batch, adapt_with, pieces):
    """1 + 1e-4 is 1 in bfloat16 and in half."""
    scale = pieces["ScaleShift"](16)
    model = adapt_with(
        in_dtype(dtype), lambda place: place.rewrite(place.blocks[0].site("mlp.in"), scale)
    )
    before = scale.scale.detach().clone()
    with torch.no_grad():
        scale.scale.add_(1e-5)
    assert ((scale.scale - before) > 0).all()
    assert model.trained_state()["adapter.blocks.0.mlp_in.rewrites.0.scale"].dtype == torch.float32


@pytest.mark.parametrize("dtype", NARROW)
def test_a_model_that_is_converted_as_a_whole_follows(dtype, batch):
    model = onlay.adapt(tiny_backbone(), "bitfit", num_classes=3, host=HOST).eval()
    expected = model(batch[0])
    model.to(dtype)
    output = model(batch[0])
    assert output.dtype == dtype
    torch.testing.assert_close(output.float(), expected, atol=0.05, rtol=0.05)
    assert {p.dtype for p in model.parameters()} == {dtype}


def test_autocast_casts_as_before(batch, adapt_with, pieces):
    """Under autocast a pipe hands on what comes: nothing is widened at sites."""
    seen = []

    class Seeing(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(16))

        def forward(self, x):
            seen.append(x.dtype)
            return x * self.scale.to(x.dtype)

    def attach(place):
        place.rewrite(place.blocks[0].site("mlp.out"), Seeing())

    model = adapt_with(tiny_backbone(), attach, verify=False)
    with torch.autocast("cpu", torch.bfloat16):
        model(batch[0])
    assert seen == [torch.bfloat16]


@pytest.fixture
def saved(batch, tmp_path):
    """Where a bundle lies that was trained beside a backbone of a dtype, and what it gives."""

    def save(dtype):
        model = onlay.adapt(in_dtype(dtype), "bitfit", num_classes=3, host=HOST).eval()
        with torch.no_grad():
            for parameter in model.trained_parameters().values():
                parameter.add_(0.1)
        return model.save_pretrained(tmp_path / "bundle"), model(batch[0])

    return save


@pytest.mark.parametrize("now", [torch.float32, torch.float64, *NARROW])
@pytest.mark.parametrize("then", [torch.float32, torch.bfloat16, torch.float16])
def test_a_bundle_loads_onto_the_same_weights_in_another_dtype(then, now, saved, batch):
    folder, expected = saved(then)
    if {then, now} == set(NARROW):
        with pytest.raises(BundleError, match=f"also for its dtype, `{str(now)[6:]}`: load onto"):
            onlay.load(folder, backbone=in_dtype(now), host=HOST)
        return
    again = onlay.load(folder, backbone=in_dtype(now), host=HOST)
    close = 0.0 if then == now else 0.05
    torch.testing.assert_close(again(batch[0]).float(), expected.float(), atol=close, rtol=close)


@pytest.mark.parametrize("now", NARROW)
def test_other_weights_are_others_in_every_dtype(now, saved):
    folder, _ = saved(torch.float32)
    with pytest.raises(BundleError, match="trained on other weights of `tiny`"):
        onlay.load(folder, backbone=in_dtype(now, seed=1), host=HOST)


def test_a_manifest_that_knows_no_rounded_fingerprint_says_dtype(saved):
    folder, _ = saved(torch.float32)
    path = folder / "adapter_config.json"
    manifest = json.loads(path.read_text())
    assert set(manifest["backbone"].pop("fingerprint_rounded")) == {"bfloat16", "float16"}
    path.write_text(json.dumps(manifest))
    seal(folder)
    with pytest.raises(BundleError, match="dtype, `bfloat16`"):
        onlay.load(folder, backbone=in_dtype(torch.bfloat16), host=HOST)
    onlay.load(folder, backbone=tiny_backbone(), host=HOST)


def test_a_change_within_rounding_is_another_weight_where_nothing_was_rounded(saved):
    folder, _ = saved(torch.float32)
    moved = copy.deepcopy(tiny_backbone())
    with torch.no_grad():
        moved.module.cls_token.mul_(1 + 1e-6)
    with pytest.raises(BundleError, match="other weights"):
        onlay.load(folder, backbone=moved, host=HOST)
    trunk = moved.anatomy.trunk()
    assert fingerprint(trunk) != fingerprint(tiny_backbone().anatomy.trunk())
