"""`onlay import`: the logits are those of the authors' equations on the file's own tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import onlay
from onlay.cli.in_process import onlay as command
from onlay.errors import BundleError, ConfigError
from onlay.testing.said import refusal
from onlay_cloud_methods.importer import converted, fill, network, read
from onlay_cloud_methods.official import understand
from onlay_cloud_methods.spectra import along_curve, eigenvectors, spectra

pytest.importorskip("onlay_pointcloud", reason="the backbone comes with onlay-pointcloud")
HOST = onlay.PluginHost.discover()
State = dict[str, Tensor]
WIDTH, DEPTH, GROUPS = 24, 4, 12


def plain(width: int = WIDTH, depth: int = DEPTH, hidden: tuple = (8, 8, 16)) -> Any:
    from onlay_pointcloud.network.point_mae import PointMae

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"width": width, "embed": width, "depth": depth, "hidden": hidden}
    return PointMae(groups=GROUPS, group_size=4, heads=2, **sizes).eval()


def linear(name: str, out: int, inner: int, *axes: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, inner, *axes), f"{name}.bias": (out,)}


def official(method: str, features: int, net: Any = None, classes: int = 5) -> State:
    """Random tensors in the layout of the authors' files."""
    net = net or plain()
    width, depth = net.norm.normalized_shape[0], len(net.blocks.blocks)
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, out, inner in ((0, 16, features * width), (4, 16, 16), (8, classes, 16)):
        shapes |= linear(f"cls_head_finetune.{layer}", out, inner)
    for norm in (1, 5):
        for kind in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"cls_head_finetune.{norm}.{kind}"] = (16,)
    for block in range(depth if method == "pointgst" else 0):
        own = f"blocks.blocks.{block}.gft_adapter."
        shapes |= linear(f"{own}down", 3, width) | linear(f"{own}up", width, 3)
        shapes |= linear(f"{own}adapt1", 3, 3)
        shapes |= {f"{own}norm_ly{n}.{kind}": (3,) for n in (1, 2) for kind in ("weight", "bias")}
    for kind in ("", "pos_", "all_") if method == "ppt" else ():
        own = f"blocks.prompt_{kind}mlp"
        shapes |= linear(f"{own}.0", 6, width) | linear(f"{own}.2", width, 6)
    if method == "stag":  # `sl`: four projections, graph layers 1 to 3
        for number in range(4):
            shapes |= linear(f"blocks.addparam_downproj_dict.{number}.0", 6, width, 1)
        for number in (1, 2, 3):
            for kind in ("graphconv1", "graphconv2", "fc"):
                shapes |= linear(f"blocks.addparam_{kind}_dict.{number}.0", 6, 6, 1)
            shapes |= linear(f"blocks.addparam_upproj_dict.{number}.0", width, 6, 1)
    draw = torch.Generator().manual_seed(1)
    made = {name: 0.5 * torch.randn(shape, generator=draw) for name, shape in shapes.items()}
    made |= {name: t.abs() + 0.5 for name, t in made.items() if name.endswith("running_var")}
    counted = {f"cls_head_finetune.{n}.num_batches_tracked": torch.tensor(7) for n in (1, 5)}
    return net.state_dict() | made | counted


def at(s: State, name: str, x: Tensor) -> Tensor:
    weight = s[f"{name}.weight"]
    return x @ weight.flatten(1).T + s[f"{name}.bias"]


def head(s: State, x: Tensor, active: Any) -> Tensor:
    for layer, norm in ((0, 1), (4, 5)):
        x = at(s, f"cls_head_finetune.{layer}", x)
        own = [s[f"cls_head_finetune.{norm}.{k}"] for k in ("running_mean", "running_var")]
        affine = [s[f"cls_head_finetune.{norm}.{k}"] for k in ("weight", "bias")]
        x = active(F.batch_norm(x, *own, *affine))
    return at(s, "cls_head_finetune.8", x)


def logits(method: str, s: State, clouds: Tensor) -> Tensor:
    net = plain()
    net.load_state_dict({name: s[name] for name in net.state_dict()})
    patches, centres = net.group(clouds)
    groups, pos = net.encoder(patches), net.pos_embed(centres)
    more = [groups] if method == "ppt" else []
    x = torch.cat([net.cls_token.expand(len(clouds), -1, -1), groups, *more], 1)
    pos = torch.cat([net.cls_pos.expand(len(clouds), -1, -1), pos, *([pos] if more else [])], 1)
    side: Any = 0
    bases = spectra(centres, 32, legacy=True, plain=True)
    near = torch.cdist(centres, centres).argsort(-1)[..., :8]
    for i, block in enumerate(net.blocks.blocks):
        if method == "stag":
            side = side + at(s, f"blocks.addparam_downproj_dict.{i}.0", x[:, 1:])
        x = x + pos
        if method == "ppt":
            own, again = x[:, 1 : 1 + GROUPS], x[:, 1 + GROUPS :]
            own, again = own + mlp(s, "", own), again + mlp(s, "pos_", again)
            x = torch.cat([x[:, :1], own, again], 1)
        x = x + block.attn(block.norm1(x))
        added = mlp(s, "all_", x) if method == "ppt" else 0
        if method == "pointgst":
            added = spectral(s, f"blocks.blocks.{i}.gft_adapter.", x, bases)
        x = x + block.mlp(block.norm2(x)) + added
        if method == "stag" and i:
            own = at(s, f"blocks.addparam_graphconv1_dict.{i}.0", side)
            other = at(s, f"blocks.addparam_graphconv2_dict.{i}.0", side)
            most = torch.stack([o[n].amax(1) for o, n in zip(other, near, strict=True)])
            side = at(s, f"blocks.addparam_fc_dict.{i}.0", own + most)
            d = at(s, f"blocks.addparam_upproj_dict.{i}.0", side).relu()
            x = x + torch.cat([d.mean(1, keepdim=True), d], 1)
    if method == "stag":
        return head(s, x.mean(1), F.relu)
    x = net.norm(x)
    if method == "ppt":
        parts = [x[:, 0], x[:, 1 : 1 + GROUPS].mean(1), x[:, 1 + GROUPS :].mean(1)]
        return head(s, torch.cat(parts, 1), F.gelu)
    return head(s, torch.cat([x[:, 0], x[:, 1:].amax(1)], 1), F.relu)


def mlp(s: State, kind: str, x: Tensor) -> Tensor:
    return at(s, f"blocks.prompt_{kind}mlp.2", F.gelu(at(s, f"blocks.prompt_{kind}mlp.0", x)))


def spectral(s: State, name: str, x: Tensor, bases: Any) -> Tensor:
    """As the authors' code has it: eigenvectors where their transpose is meant. One chunk."""
    h = at(s, f"{name}down", x)
    g, p = F.silu(h), h[:, 1:]
    order = bases.order_BG[..., None].expand_as(p)
    found = filtered(s, name, 1, p, bases.whole_BGG)
    own = filtered(s, name, 2, p.gather(1, order), bases.chunks[0][:, 0])
    found = found + torch.zeros_like(p).scatter(1, order, own)
    return at(s, f"{name}up", torch.cat([g[:, :1], g[:, 1:] + found], 1))


def filtered(s: State, name: str, number: int, p: Tensor, u: Tensor) -> Tensor:
    f = u @ p
    norm = [s[f"{name}norm_ly{number}.{kind}"] for kind in ("weight", "bias")]
    return u.mT @ (f + F.silu(at(s, f"{name}adapt1", F.layer_norm(f, (3,), *norm))))


FEATURES = {"pointgst": 2, "ppt": 3, "stag": 1}


@pytest.mark.parametrize("method", FEATURES)
def test_the_logits_are_the_authors(method: str, tmp_path: Path) -> None:
    from onlay_pointcloud.backbones.build import adopt

    state, file = official(method, FEATURES[method]), tmp_path / "ckpt-best.pth"
    torch.save({"base_model": {f"module.{n}": t for n, t in state.items()}, "epoch": 3}, file)
    built: Any = adopt(plain())
    fill(built, understand(file, method), file)
    model = converted(understand(file, method), built, method, file, labels=None, host=HOST)
    clouds = torch.randn(2, 48, 3, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        found, expected = model(clouds), logits(method, state, clouds)
    assert expected.std() > 0.05
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    for name in ("cls_head_finetune.5.bias", "norm.bias", "new.weight"):
        other = {**state, name: torch.ones(1)}
        with pytest.raises(BundleError, match=name):
            both(adopt(plain()), other, method, file)


def both(built: Any, state: State, method: str, file: Path) -> None:
    fill(built, state, file)
    converted(state, built, method, file, labels=None, host=HOST)


def test_a_file_in_full_size_becomes_a_bundle(tmp_path: Path) -> None:
    from onlay_pointcloud.network.point_mae import PointMae

    state = official("ppt", 3, PointMae(groups=128, group_size=32).eval())
    file, out = tmp_path / "ckpt-last.pth", tmp_path / "scan"
    torch.save({"base_model": state}, file)
    result = command("import", "ppt", file, "--out", out)
    assert result.exit_code == 0, result.output
    model = onlay.load(out)
    assert model.built.source["weights"] == str((tmp_path / "scan-backbone.safetensors").resolve())
    assert (model.built.source["npoints"], model.built.source["groups"]) == (2048, 128)
    first = model.trained_state()["adapter.thawed.encoder.first_conv.0.weight"]
    assert torch.equal(first, state["encoder.first_conv.0.weight"])
    with pytest.raises(ConfigError, match="leave out `weights` of `backbone`"):
        network(state, "ppt", {"name": "point_mae", "weights": "x.pth"}, HOST)
    with pytest.raises(BundleError, match=r"no state dict of `stag`: it has no `blocks\.addparam"):
        read(file, method="stag")


def test_files_of_a_code_without_a_licence_are_not_read(tmp_path: Path) -> None:
    for method in ("idpt", "point_peft"):
        said = refusal(command("import", method, tmp_path / "x.pth", "--out", tmp_path / "out"))
        assert "reads no foreign checkpoints: their code has no licence" in said


def test_graphs_and_curves_as_their_code_has_them() -> None:
    """Of three centres on a line, with gaps of 1 and 2, the weights are 1, 1/2 and 1/3, and 1 on
    the diagonal."""
    line = torch.tensor([[[0.0, 0, 0], [1.0, 0, 0], [3.0, 0, 0]]])[None]
    weights = torch.tensor([[1, 1, 1 / 3], [1, 1, 1 / 2], [1 / 3, 1 / 2, 1]])
    laplacian = weights.sum(1).diag() - weights
    vectors = eigenvectors(line, plain=True)[0, 0]
    values = torch.linalg.eigvalsh(laplacian)
    torch.testing.assert_close(laplacian @ vectors, vectors * values, rtol=0, atol=1e-5)
    # y weighs most, then x, then z; cells of 0.01, below 0 behind all others
    points = torch.tensor(
        [[[0, -0.02, 0], [0, 0.01, 0], [0.01, 0, 0], [0, 0, 0.01], [0, 0, 0.004]]]
    )
    assert along_curve(points, legacy=True)[0].tolist() == [4, 3, 2, 1, 0]
