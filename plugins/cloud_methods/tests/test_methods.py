"""Counts by the papers, and each method against a few lines that compute it otherwise."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

import onlay
from onlay.errors import ConfigError
from onlay.testing import tiny_points
from onlay_cloud_methods.idpt import Generator, Placed
from onlay_cloud_methods.pointgst import Spectral
from onlay_cloud_methods.spectra import along_curve, eigenvectors, spectra
from onlay_cloud_methods.stag import Convolved, GraphLayer, Lowered

HOST = onlay.PluginHost.discover()


@pytest.mark.parametrize(
    ("method", "preset", "settings", "classes", "expected"),
    [
        ("idpt", "pb_t50_rs", {}, 15, 1_696_783),
        ("idpt", "obj_bg", {}, 15, 1_500_175),
        ("idpt", "obj_only", {}, 15, 1_696_783),
        ("idpt", "modelnet40", {}, 40, 1_703_208),
        ("idpt", "pb_t50_rs", {"train_class_token": False}, 15, 1_330_176 + 365_839),
        ("pointgst", "pb_t50_rs", {}, 15, 622_831),
        ("pointgst", "modelnet40", {}, 40, 629_256),
        ("pointgst", "pb_t50_rs", {"train_class_token": False}, 15, 12 * 29_544 + 267_535),
        ("stag", "pb_t50_rs", {}, 15, 428_431),
        ("stag", "pb_t50_rs", {"kind": "sl"}, 15, 1_020_751),
        ("ppt", "pb_t50_rs", {}, 15, 1_042_191),
        ("ppt", "modelnet40", {}, 40, 1_048_616),
        ("ppt", "obj_bg", {"train_embedders": False}, 15, 591_744 + 768 + 365_839),
        ("point_peft", "pb_t50_rs", {}, 15, 773_017 - 62_268),
        ("point_peft", "modelnet40", {}, 40, 779_442 - 62_268),
    ],
)
def test_all_that_trains_with_the_papers_head(
    method: str, preset: str, settings: dict[str, Any], classes: int, expected: int
) -> None:
    """Without values, on Point-MAE in full size; adapting compares each formula with them, too."""
    pytest.importorskip("onlay_pointcloud", reason="point backbones come with onlay-pointcloud")
    from onlay_pointcloud.network.point_mae import PointMae

    recipe = HOST.find("method", method).presets[preset]
    config = {"name": method, **recipe.get("method", {}), **settings}
    with torch.device("meta"):
        network = PointMae(groups=128, group_size=32)
        model = onlay.adapt(network, config, task=recipe["task"], num_classes=classes, verify=False)
    assert sum(p.numel() for p in model.trained_parameters().values()) == expected


def adapted(method: str, *, depth: int = 2, **settings: Any) -> tuple[Any, torch.Tensor]:
    """On a tiny network, away from the start, and two clouds for it."""
    torch.manual_seed(0)
    config = {"name": method, **settings}
    model = onlay.adapt(tiny_points(depth=depth), config, num_classes=3, verify=False).eval()
    with torch.no_grad():
        for parameter in model.trained_parameters().values():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.double(), torch.randn(2, 48, 3, dtype=torch.float64)


def modules(model: Any, kind: type) -> list[Any]:
    return [m for m in model.adapter.modules() if isinstance(m, kind)]


def spied(model: Any, kind: type) -> list[tuple[Any, Any]]:
    """What modules of a kind are given and give, in the order of their calls."""
    calls: list[tuple[Any, Any]] = []
    for module in modules(model, kind):
        module.register_forward_hook(lambda m, given, y: calls.append((given, y)))
    return calls


def test_the_prompt_is_made_by_three_edge_layers() -> None:
    model, clouds = adapted("idpt", neighbours=4)
    calls, (generator,) = spied(model, Generator), modules(model, Generator)
    with torch.no_grad():
        model(clouds)
    ((x,), prompt), found = calls[0], []
    for cloud in x:
        f, joined = cloud[-12:], []
        for layer in generator.edges:
            near = torch.cdist(f, f).argsort(1)[:, :4]
            rows = [torch.cat([f[j] - f[i], f[i]]) for i in range(12) for j in near[i]]
            y = torch.stack(rows) @ layer.map.weight.T
            y = y / (1 + 1e-5) ** 0.5 * layer.norm.weight + layer.norm.bias
            f = F.leaky_relu(y, 0.2).view(12, 4, -1).amax(1)
            joined.append(f)
        y = torch.cat(joined, 1) @ generator.join.weight.T
        y = y / (1 + 1e-5) ** 0.5 * generator.norm.weight + generator.norm.bias
        found.append(F.leaky_relu(y, 0.2).amax(0))
    torch.testing.assert_close(prompt[:, 0], torch.stack(found), rtol=1e-6, atol=1e-6)


def test_the_prompt_enters_late_with_a_position_that_is_kept() -> None:
    model, clouds = adapted("idpt", neighbours=4)
    sizes: list[int] = []
    for block in model.backbone.blocks:
        block.register_forward_hook(lambda m, given, y: sizes.append(given[0].shape[1]))
    model(clouds)
    assert sizes == [13, 14]
    (placed,) = modules(model, Placed)
    x = torch.zeros(1, 14, 16).double()
    assert torch.equal(placed(x).nonzero()[:, 1].unique(), torch.tensor([1]))
    assert any(name.endswith("position") for name in model.trained_state())


def test_the_order_of_groups_does_not_matter_to_a_prompt() -> None:
    model, _ = adapted("idpt", neighbours=4)
    (generator,), x = modules(model, Generator), torch.randn(1, 13, 16).double()
    model(torch.randn(1, 48, 3).double())  # which says how many groups there are
    mixed = torch.cat([x[:, :1], x[:, 1:][:, torch.randperm(12)]], 1)
    torch.testing.assert_close(generator(mixed), generator(x), rtol=1e-6, atol=1e-6)


def test_more_neighbours_than_groups_and_blocks_that_are_not_there() -> None:
    model, clouds = adapted("idpt", neighbours=13)
    with pytest.raises(ConfigError, match=r"`method\.neighbours` 13 is more than the 12 groups"):
        model(clouds)
    with pytest.raises(ConfigError, match=r"`method\.layer` is 2, and the backbone"):
        adapted("idpt", layer=2)


def test_two_centres_have_the_eigenvalues_zero_and_one() -> None:
    centres = torch.tensor([[[0.0, 0, 0], [3.0, 0, 0]]])[None]
    vectors = eigenvectors(centres)[0, 0]
    half = 0.5**0.5
    torch.testing.assert_close(vectors.abs(), torch.full((2, 2), half), rtol=0, atol=1e-5)
    laplacian = torch.eye(2) - 0.5
    values = (vectors.T @ laplacian @ vectors).diagonal()
    torch.testing.assert_close(values, torch.tensor([0.0, 1.0]), rtol=0, atol=1e-5)


def test_eigenvectors_are_orthogonal_also_where_points_coincide() -> None:
    torch.manual_seed(0)
    centres = torch.randn(2, 1, 9, 3)
    centres[:, :, 4] = centres[:, :, 2]
    vectors = eigenvectors(centres)
    eye = torch.eye(9).expand(2, 1, 9, 9)
    torch.testing.assert_close(vectors.mT @ vectors, eye, rtol=0, atol=2e-6)


def test_a_spectrum_is_of_one_cloud_alone_unless_it_is_the_authors() -> None:
    torch.manual_seed(0)
    centres = torch.randn(2, 9, 3) * torch.tensor([1.0, 5.0])[:, None, None]
    for legacy in (False, True):
        both = spectra(centres, 4, legacy=legacy).whole_BGG[1]
        alone = spectra(centres[1:], 4, legacy=legacy).whole_BGG[0]
        assert torch.allclose(both, alone, atol=1e-3) != legacy


def test_the_curve_goes_through_cells_by_interleaved_bits() -> None:
    corners = torch.tensor([[[1.0, 1, 1], [0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]]])
    assert along_curve(corners)[0].tolist() == [4, 2, 3, 1, 0]


@pytest.mark.parametrize("legacy", [False, True])
def test_pointgst(legacy: bool) -> None:
    model, clouds = adapted("pointgst", rank=3, chunk=5, legacy=legacy)
    calls, (first, *_) = spied(model, Spectral), modules(model, Spectral)
    with torch.no_grad():
        model(clouds)
    ((x,), found), centres = calls[0], model.anatomy.layout(0).centres
    bases = spectra(centres, 5, legacy=legacy)

    def filtered(p, u, norm):
        u = u.double()
        f = u @ p if legacy else u.T @ p
        f = f + F.silu(norm(f) @ first.shared.weight.T + first.shared.bias)
        return u.T @ f if legacy else u @ f

    for i in range(2):
        h = x[i] @ first.down.weight.T + first.down.bias
        p, order = h[1:], bases.order_BG[i].tolist()
        moved = filtered(p, bases.whole_BGG[i], first.norm_whole)
        for start, basis in ((0, bases.chunks[0][i, 0]), (5, bases.chunks[0][i, 1]),
                             (10, bases.chunks[1][i, 0])):  # fmt: skip
            own = order[start : start + 5]
            moved[own] += filtered(p[own], basis, first.norm_local)
        g = F.silu(h)
        g[1:] += moved
        expected = g @ first.up.weight.T + first.up.bias
        torch.testing.assert_close(found[i], expected, rtol=1e-6, atol=1e-6)


def test_stag() -> None:
    model, clouds = adapted("stag", width=4, neighbours=3, norm=True, depth=4)
    lowered, convolved = spied(model, Lowered), spied(model, Convolved)
    (layer,) = modules(model, GraphLayer)
    with torch.no_grad():
        model(clouds)
    down, centres = modules(model, Lowered)[0].down, model.anatomy.layout(0).centres
    near = torch.cdist(centres, centres).argsort(-1)[..., :3]
    state = torch.zeros(2, 12, 4).double()
    assert (len(lowered), len(convolved)) == (4, 2)
    for i in range(4):
        x = lowered[i][0][0]
        state = state + x[:, 1:] @ down.weight.T + down.bias
        torch.testing.assert_close(lowered[i][1], state, rtol=1e-6, atol=1e-6)
        if i >= 2:
            own = state @ layer.own.weight.T + layer.own.bias
            other = state @ layer.other.weight.T + layer.other.bias
            most = torch.stack([own[b] + other[b][near[b]].amax(1) for b in range(2)])
            state = most @ layer.out.weight.T + layer.out.bias
            torch.testing.assert_close(convolved[i - 2][1], state, rtol=1e-6, atol=1e-6)


def test_the_class_token_gets_the_mean_of_what_groups_get() -> None:
    model, clouds = adapted("stag", width=4, neighbours=3, norm=True)
    ends: list[torch.Tensor] = []
    model.backbone.blocks[1].register_forward_hook(lambda m, a, y: ends.append(y))
    with torch.no_grad():
        model(clouds)
        spoken = ends.pop()
        with model.disabled() as bare:
            bare(clouds)
    change = spoken - ends.pop()
    torch.testing.assert_close(change[:, 0], change[:, 1:].mean(1))
    assert change.amin() >= 0


def test_the_head_reads_tokens_in_front_of_the_last_norm() -> None:
    model, clouds = adapted("stag", width=4, neighbours=3)
    ends: list[torch.Tensor] = []
    model.backbone.blocks[1].register_forward_hook(lambda m, a, y: ends.append(y))
    features = model.features(clouds)
    torch.testing.assert_close(features.patches, ends[0][:, 1:])


def test_no_gradient_enters_a_block_before_the_graph_speaks() -> None:
    model, clouds = adapted("stag", width=4, neighbours=3, depth=4)
    seen: list[bool] = []
    for block in model.backbone.blocks:
        block.register_forward_hook(lambda m, given, y: seen.append(given[0].requires_grad))
    model.train().loss((clouds, torch.tensor([0, 1]))).backward()
    assert seen == [False, False, False, True]
