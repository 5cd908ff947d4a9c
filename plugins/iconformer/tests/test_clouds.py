"""iConFormer on point networks: order, tokens that are no groups, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from onlay.errors import AnatomyError, ConfigError
from onlay_iconformer.adapter import KEPT


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("placement", ["parallel_ffn", "after_ffn", "after_attn"])
@pytest.mark.parametrize("kind", ["PointMae", "ReCon"])
def test_the_order_of_groups(
    kind: str, placement: str, points: Any, adapt: Any, clouds: Tensor, randomize: Any
) -> None:
    """Tokens and centres in another order: the same class token, the same groups elsewhere."""
    model = randomize(adapt(points(kind), neighbours=4, placement=placement)).double()
    net, prefix = model.backbone, model.anatomy.prefix
    order = torch.randperm(16, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        patches, centres = net.group(clouds.double())
        model.anatomy.centres = centres
        plain = net.forward_groups(patches, centres)
        model.anatomy.centres = centres[:, order]
        moved = net.forward_groups(patches[:, order], centres[:, order])
    torch.testing.assert_close(moved[:, :prefix], plain[:, :prefix])
    torch.testing.assert_close(moved[:, prefix:], plain[:, prefix:][:, order])


def test_the_order_of_points(points: Any, adapt: Any, clouds: Tensor, randomize: Any) -> None:
    """All but the first, at which sampling starts: the same groups of the same points."""
    model = randomize(adapt(points(), pool="cls+max", neighbours=4)).double()
    clouds = clouds.double()
    order = torch.randperm(63, generator=torch.Generator().manual_seed(3)) + 1
    moved = torch.cat([clouds[:, :1], clouds[:, order]], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(model(moved), model(clouds))


@pytest.mark.parametrize(("kind", "learnt"), [("PointMae", 1), ("ReCon", 3)])
@pytest.mark.parametrize("placement", ["parallel_ffn", "after_ffn", "after_attn"])
def test_learnt_tokens_do_not_touch_the_convolution(
    kind: str, learnt: int, placement: str, points: Any, adapt: Any, adapters: Any,
    clouds: Tensor, randomize: Any, written: Any,
) -> None:  # fmt: skip
    """Every adapter by hand. In ReCon learnt tokens have an MLP of their own, which has none."""
    model = randomize(adapt(points(kind), placement=placement, neighbours=3)).double()
    seen: list[tuple[Any, Tensor, Tensor]] = []
    for adapter in adapters(model):
        adapter.register_forward_hook(lambda m, args, out: seen.append((m, args[0], out)))
    with torch.no_grad():
        centres = model.anatomy.encode(clouds.double()).layout.centres
        assert len(seen) == 2
        for adapter, x_BTD, out in tuple(seen):
            assert x_BTD.shape[1] == 16 + (0 if kind == "ReCon" else learnt)
            torch.testing.assert_close(out, written(adapter, x_BTD, centres=centres))
            other = torch.cat([x_BTD[:, :-16], drawn(2, 16, 24).double()], dim=1)
            assert torch.equal(adapter(other)[:, :-16], out[:, :-16])
            assert not torch.isclose(adapter(other)[:, -16:], out[:, -16:]).all()


def test_recon_by_hand(
    points: Any, adapt: Any, adapters: Any, clouds: Tensor, randomize: Any, written: Any
) -> None:
    """One block: what the adapter adds to the groups behind their MLP."""
    model = randomize(adapt(points("ReCon", depth=1), neighbours=3)).double()
    clouds = clouds.double()
    with torch.no_grad():
        features = model.anatomy.encode(clouds)
        (adapter,), net = adapters(model), model.detach()
        patches, centres = net.group(clouds)
        block, tokens = net.blocks.blocks[0], net.encoder(patches)
        learnt = [getattr(net, f"{n}_token") + getattr(net, f"{n}_pos") for n in net.prefixes]
        q = torch.cat(learnt, 1).expand(2, -1, -1)
        q, v = block.norm1_contrast(q), block.norm1(tokens + net.pos_embed(centres))
        q = q + block.attn_contrast(q, v)
        v = v + block.attn(v)
        added = written(adapter, v, centres=centres)
        q, v = block.norm2_contrast(q), block.norm2(v)
        q, v = q + block.mlp_contrast(q), v + block.mlp(v) + added
        x = net.norm(torch.cat([q, v], dim=1))
    torch.testing.assert_close(features.cls, x[:, 0])
    torch.testing.assert_close(features.patches, x[:, 3:])


def test_neighbours_are_found_once_for_all_blocks(
    points: Any, adapt: Any, adapters: Any, clouds: Tensor
) -> None:
    """And held for as long as the centres are."""
    model = adapt(points(depth=3), neighbours=4)
    (near,) = {adapter.near for adapter in adapters(model)}
    with torch.no_grad():
        centres: Any = model.anatomy.encode(clouds).layout.centres
        found = near(centres)
        assert found.shape == (2, 16, 4)
        assert near(centres) is found is vars(centres)[KEPT][4]
        assert near(centres[:1]).shape == (1, 16, 4)


def test_all_groups_may_be_neighbours(points: Any, adapt: Any, clouds: Tensor) -> None:
    model = adapt(points(), neighbours=16)
    with torch.no_grad():
        assert model(clouds).shape == (2, 3)


def test_more_neighbours_than_groups(points: Any, adapt: Any, clouds: Tensor) -> None:
    built = points()
    with torch.no_grad():
        plain = built.module(clouds)
    with pytest.raises(ConfigError, match=r"`method\.neighbours` 17 is more than the 16 groups"):
        adapt(built, neighbours=17)
    with torch.no_grad():  # nothing was left behind
        assert torch.equal(built.module(clouds), plain)
    adapt(built, neighbours=16)


def test_a_cloud_has_no_map_to_convolve(points: Any, adapt: Any) -> None:
    with pytest.raises(AnatomyError, match="`conv_pool` convolves a map, and groups of points"):
        adapt(points(), generator="conv_pool")


def test_a_backbone_of_the_other_kind(vit: Any, points: Any, adapt: Any) -> None:
    for built, layout, other in ((points(), "grid", "points"), (vit(), "points", "grid")):
        with pytest.raises(AnatomyError, match=f"is `{layout}`, and its tokens lie .*`{other}`; l"):
            adapt(built, layout=layout)
        assert adapt(built, layout=other).adapter.pipes


def test_a_backbone_of_no_kind(vit: Any, adapt: Any) -> None:
    built = vit()
    built.anatomy.provides -= {"grid"}
    with pytest.raises(AnatomyError, match="lie on no map and in no groups of points, which"):
        adapt(built)


@pytest.mark.parametrize("layout", ["auto", "points"])
def test_saying_it_is_the_same(
    layout: str, points: Any, adapt: Any, clouds: Tensor, randomize: Any
) -> None:
    with torch.no_grad():
        plain = randomize(adapt(points()))(clouds)
        assert torch.equal(randomize(adapt(points(), layout=layout))(clouds), plain)
