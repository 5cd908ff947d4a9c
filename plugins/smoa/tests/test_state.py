"""A library as an object that blocks share: in bundles, copies and on a backbone with others."""

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
from onlay_smoa.mixture import RoutedAdapter

TARGETS = torch.tensor([0, 2])
BASES = pytest.mark.parametrize("base", ["adaptformer", "adapter", "dapt"])


def users(model: Any) -> list[RoutedAdapter]:
    return [m for m in model.adapter.modules() if isinstance(m, RoutedAdapter)]


def names_in(bundle: Path) -> set[str]:
    with safe_open(bundle / "adapter_model.safetensors", framework="pt") as file:
        return set(file.keys())


@BASES
def test_a_bundle_holds_one_copy_and_gives_the_model_back(
    base: str, vit: Any, adapt: Any, images: Tensor, host: Any, tmp_path: Path, randomize: Any
) -> None:
    model = randomize(adapt(vit(depth=3), base=base, pool="cls+prompts"))
    model.save_pretrained(tmp_path / "bundle")
    found = names_in(tmp_path / "bundle")
    library = {n for n in found if ".mixture." in n}
    assert len({n.split(".mixture.")[0] for n in library}) == 1
    assert len(library) == 3 + (8 if base == "dapt" else 4)
    assert len([n for n in found if n.endswith(("gamma", "beta"))]) == 6
    assert len([n for n in found if ".thawed." in n]) == 7
    assert len(found) == len(library) + 6 + 7 + 2
    config = json.loads((tmp_path / "bundle" / "adapter_config.json").read_text("utf-8"))
    assert config["method"]["base"] == base
    with torch.no_grad():
        expected = model(images)
        loaded = onlay.load(tmp_path / "bundle", backbone=vit(depth=3), host=host)
        assert torch.equal(loaded(images), expected)
    assert len({id(user.mixture) for user in users(loaded)}) == 1


def test_without_sharing_a_bundle_holds_every_library(
    vit: Any, adapt: Any, images: Tensor, host: Any, tmp_path: Path, randomize: Any
) -> None:
    model = randomize(adapt(vit(depth=3), sharing="none"))
    model.save_pretrained(tmp_path / "bundle")
    library = {n for n in names_in(tmp_path / "bundle") if ".mixture." in n}
    assert len({n.split(".mixture.")[0] for n in library}) == 3
    loaded = onlay.load(tmp_path / "bundle", backbone=vit(depth=3), host=host)
    with torch.no_grad():
        assert torch.equal(loaded(images), model(images))


def test_a_copy_shares_its_own_library(vit: Any, adapt: Any, images: Tensor) -> None:
    model = adapt(vit(depth=3), dropout=0.0)
    twin = copy.deepcopy(model)
    (own,), (other,) = ({id(u.mixture) for u in users(m)} for m in (model, twin))
    assert own != other
    optimizer = torch.optim.SGD(twin.train().trained_parameters().values(), lr=0.5)
    with torch.no_grad():
        before = model(images)
    for _ in range(2):
        twin.loss((images, TARGETS)).backward()
        optimizer.step()
    with torch.no_grad():
        assert torch.equal(model(images), before)
        assert not torch.equal(twin.eval()(images), before)
    assert model.figures().values == {}


def test_two_adapters_on_one_backbone(vit: Any, adapt: Any, images: Tensor, randomize: Any) -> None:
    """Of two libraries, with and without prompts."""
    built = vit(depth=3)
    with torch.no_grad():
        plain = built.module(images)
        alone = randomize(adapt(vit(depth=3), base="dapt", experts=3, seed=7))(images)
        first = randomize(adapt(built, name="first"))
        expected = first(images)
        second = randomize(adapt(built, name="second", base="dapt", experts=3, seed=7))
        assert torch.equal(second(images), alone)
        assert torch.equal(first(images), expected)
        assert not torch.equal(alone, expected)
        with first.disabled() as bare:
            assert torch.equal(bare(images), plain)
        first.detach()
        assert torch.equal(second(images), alone)
        assert torch.equal(second.detach()(images), plain)
    adapt(built, name="third")
    with pytest.raises(AnatomyError, match="third"):
        adapt(built, name="third")


@BASES
def test_detaching_gives_the_backbone_back_bit_for_bit(
    base: str, vit: Any, adapt: Any, images: Tensor, randomize: Any
) -> None:
    built = vit()
    names = [n for n, _ in built.module.named_modules()]
    state = {n: t.clone() for n, t in built.module.state_dict().items()}
    with torch.no_grad():
        before = built.module(images)
        model = randomize(adapt(built, base=base))
        assert (built.module(images)[:, -4:] - before[:, -4:]).abs().max() > 0.1
        assert torch.equal(model.detach()(images), before)
    assert [n for n, _ in built.module.named_modules()] == names
    assert list(built.module.state_dict()) == list(state)
    assert all(torch.equal(built.module.state_dict()[n], t) for n, t in state.items())


def test_the_same_in_evaluation_and_under_a_seed(
    vit: Any, adapt: Any, images: Tensor, randomize: Any
) -> None:
    model = randomize(adapt(vit(), dropout=0.5, jitter=0.1))
    with torch.no_grad():
        assert torch.equal(model(images), model(images))
        model.train()

        def seeded(seed: int) -> Tensor:
            torch.manual_seed(seed)
            return model.loss((images, TARGETS))

        assert torch.equal(seeded(1), seeded(1))
        assert not torch.equal(seeded(1), seeded(2))


@BASES
def test_cannot_be_merged(base: str, vit: Any, adapt: Any, images: Tensor, randomize: Any) -> None:
    model = randomize(adapt(vit(), base=base, prompts=False))
    reason = "which expert a token goes to depends on the input"
    with pytest.raises(CannotFold, match=rf"`smoa` cannot be merged at `blocks\.0.*{reason}"):
        model.merge()
    with torch.no_grad():
        merged = model.merge(partial=True)
        torch.testing.assert_close(merged(images), model(images))
    assert merged.merge_change < 1e-5
    assert [refusal.reason for refusal in merged.merge_refusals] == [reason, reason]
    assert len({id(user.mixture) for user in users(merged)}) == 1


def test_with_prompts_nothing_can_be_folded(vit: Any, adapt: Any) -> None:
    model = adapt(vit())
    with pytest.raises(CannotFold):
        model.merge()
    paths = {refusal.path for refusal in model.merge(partial=True).merge_refusals}
    assert paths == {f"blocks.{i}.{site}" for i in (0, 1) for site in ("mlp.out", "block.out")}
