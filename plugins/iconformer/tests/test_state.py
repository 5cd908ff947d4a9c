"""Bundles, copies, several adapters on one backbone, and what merging says."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

import onlay
from onlay.errors import AnatomyError, CannotFold

TARGETS = torch.tensor([0, 2])
REASON = "its kernels depend on the input"
EVERYTHING = {
    "generator": "se", "kernel_norm": "filter", "learnable_scale": True, "kernel_size": 5,
    "prefix_tokens": "centre_tap", "placement": "after_ffn", "scale": 0.5,
}  # fmt: skip


@pytest.fixture
def case(vit: Any, points: Any, images: Tensor, clouds: Tensor) -> Any:
    """`case("map")`: how a backbone is made, and inputs."""
    return lambda where: (vit, images) if where == "map" else (points, clouds)


WHERE = pytest.mark.parametrize("where", ["map", "cloud"])


@WHERE
@pytest.mark.parametrize("fields", [{}, EVERYTHING], ids=["defaults", "everything else"])
def test_a_bundle_gives_the_model_back(
    where: str, fields: Any, case: Any, adapt: Any, host: Any, tmp_path: Path, randomize: Any
) -> None:
    make, inputs = case(where)
    model = randomize(adapt(make(), neighbours=5, **fields))
    model.save_pretrained(tmp_path / "bundle")
    with safe_open(tmp_path / "bundle" / "adapter_model.safetensors", framework="pt") as file:
        found = {name for name in file.keys() if name.startswith("adapter.")}  # noqa: SIM118
    # down, up and the generator with biases; the narrow layer, the norm and the scale
    assert len(found) == 2 * (10 if fields else 6)
    config = json.loads((tmp_path / "bundle" / "adapter_config.json").read_text("utf-8"))
    assert config["method"]["neighbours"] == 5
    assert config["method"]["placement"] == fields.get("placement", "parallel_ffn")
    loaded = onlay.load(tmp_path / "bundle", backbone=make(), host=host)
    with torch.no_grad():
        assert torch.equal(loaded(inputs), model(inputs))


@WHERE
def test_a_backbone_called_by_itself_knows_where_tokens_lie(
    where: str, case: Any, adapt: Any, randomize: Any
) -> None:
    make, inputs = case(where)
    model = randomize(adapt(make()))
    other = torch.randn_like(inputs.transpose(-1, -2) if where == "map" else inputs)
    with torch.no_grad():
        model(inputs[:1])  # another size or other centres
        alone = model.backbone(other)
        model(other)
        assert torch.equal(model.backbone(other), alone)


@WHERE
def test_a_copy_goes_its_own_way(where: str, case: Any, adapt: Any, adapters: Any) -> None:
    make, inputs = case(where)
    model = adapt(make())
    with torch.no_grad():
        before = model(inputs)
    twin = copy.deepcopy(model)
    ours, theirs = adapters(model), adapters(twin)
    assert all(a is not b for a, b in zip(ours, theirs, strict=True))
    optimizer = torch.optim.SGD(twin.train().trained_parameters().values(), lr=0.5)
    for _ in range(2):
        twin.loss((inputs, TARGETS)).backward()
        optimizer.step()
    with torch.no_grad():
        other = twin.eval()(inputs[:1])  # its own layout, too
        assert torch.equal(model(inputs), before)
        assert not torch.allclose(other, before[:1])


@WHERE
def test_two_adapters_on_one_backbone(where: str, case: Any, adapt: Any, randomize: Any) -> None:
    make, inputs = case(where)
    fields = {"placement": "after_attn", "neighbours": 3, "kernel_size": 5, "seed": 7}
    built = make()
    with torch.no_grad():
        alone = randomize(adapt(make(), **fields))(inputs)
        first = randomize(adapt(built, name="first"))
        expected = first(inputs)
        second = randomize(adapt(built, name="second", **fields))
        assert torch.equal(second(inputs), alone)
        assert torch.equal(first(inputs), expected)
        assert not torch.allclose(alone, expected)
        with first.disabled() as bare:
            assert torch.equal(bare(inputs), make().module(inputs))
        first.detach()
        assert torch.equal(second(inputs), alone)
        assert torch.equal(second.detach()(inputs), make().module(inputs))
    adapt(built, name="third")
    with pytest.raises(AnatomyError, match="third"):
        adapt(built, name="third")


@WHERE
@pytest.mark.parametrize("placement", ["parallel_ffn", "after_ffn", "after_attn"])
def test_detaching_gives_the_backbone_back_bit_for_bit(
    where: str, placement: str, case: Any, adapt: Any, randomize: Any
) -> None:
    make, inputs = case(where)
    built = make()
    names = [n for n, _ in built.module.named_modules()]
    state = {n: t.clone() for n, t in built.module.state_dict().items()}
    with torch.no_grad():
        before = built.module(inputs)
        model = randomize(adapt(built, placement=placement))
        features = model.anatomy.encode(inputs)
        assert (features.patches - before[:, -features.patches.shape[1] :]).abs().max() > 0.01
        assert torch.equal(model.detach()(inputs), before)
    assert [n for n, _ in built.module.named_modules()] == names
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in built.module.modules())
    assert list(built.module.state_dict()) == list(state)
    assert all(torch.equal(built.module.state_dict()[n], t) for n, t in state.items())


@WHERE
@pytest.mark.parametrize(
    ("generator", "reason"),
    [("linear", REASON), ("static", "an activation stands between its projections")],
)
def test_cannot_be_merged(
    where: str, generator: str, reason: str, case: Any, adapt: Any, randomize: Any
) -> None:
    make, inputs = case(where)
    model = randomize(adapt(make(), generator=generator))
    with pytest.raises(CannotFold, match=rf"`iconformer` cannot be merged at `blocks\.0.*{reason}"):
        model.merge()
    merged = model.merge(partial=True)
    assert [refusal.reason for refusal in merged.merge_refusals] == [reason, reason]
    with torch.no_grad():
        torch.testing.assert_close(merged(inputs), model(inputs))


def test_the_same_again(vit: Any, adapt: Any, images: Tensor, randomize: Any) -> None:
    """No dropout, nothing drawn; nothing remembered of an image of another size."""
    model = randomize(adapt(vit()))
    with torch.no_grad():
        first = model(images)
        wide = model(images[..., :4, :])
        assert torch.equal(model(images), first)
        assert torch.equal(model.train()(images), first)
        assert torch.equal(model(images[..., :4, :]), wide)
