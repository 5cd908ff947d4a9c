"""Whole networks against a few lines that compute the papers' equations once more, block by block:
to 1e-9 in float64, to 1e-5 in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import onlay
from onlay.data import Splits
from onlay_cloud_methods import idpt, point_peft, ppt
from onlay_cloud_methods.geometry import Geometry
from onlay_cloud_methods.memory import Memory
from onlay_cloud_methods.pointgst import Spectral
from onlay_cloud_methods.spectra import spectra
from onlay_cloud_methods.stag import GraphLayer, Lowered

pytest.importorskip("onlay_pointcloud", reason="point backbones come with onlay-pointcloud")
GROUPS, WIDTH, DEPTH = 12, 24, 4


def network() -> Any:
    from onlay_pointcloud.network.point_mae import PointMae

    sizes: dict[str, Any] = {"width": WIDTH, "embed": WIDTH, "depth": DEPTH, "hidden": (8, 8, 16)}
    return PointMae(groups=GROUPS, group_size=4, heads=2, **sizes).eval()


class Case:
    """An adapted network away from its start, what it gives, and the same network without hooks."""

    def __init__(self, method: str, dtype: torch.dtype, data: bool = False, **settings: Any):
        torch.manual_seed(0)
        config = {"name": method, **settings}
        self.model = onlay.adapt(network(), config, num_classes=3, verify=False).eval().to(dtype)
        with torch.no_grad():
            for parameter in self.model.trained_parameters().values():
                parameter.add_(0.3 * torch.randn_like(parameter))
        self.clouds = torch.randn(5, 48, 3, dtype=dtype)
        if data:
            items: Any = [(cloud, 0) for cloud in self.clouds]
            self.model.prepare(
                Splits(train=items, validation=None, test=None, labels=("a", "b"), preprocessing={})
            )
        with torch.no_grad():
            found = self.model.features(self.clouds)
            self.found = torch.cat([found.cls[:, None], found.prompts, found.patches], 1)
            self.net = network().to(dtype)
            self.net.load_state_dict(self.model.backbone.state_dict())
            patches, self.centres = self.net.group(self.clouds)
            self.groups = self.net.encoder(patches)
            self.pos = self.net.pos_embed(self.centres)

    def all(self, kind: type) -> list[Any]:
        return [m for m in self.model.adapter.modules() if isinstance(m, kind)]

    def blocks(self) -> Iterator[tuple[int, Any]]:
        yield from enumerate(self.net.blocks.blocks)

    def with_class(self, groups: Tensor, name: str) -> Tensor:
        own = getattr(self.net, f"cls_{name}").expand(len(groups), -1, -1)
        return torch.cat([own, groups], 1)


def attended(block: Any, x: Tensor) -> Tensor:
    n, (q, k, v) = block.norm1(x), (block.attn.qkv.weight.chunk(3))
    heads = []
    for h in range(2):
        own = slice(h * WIDTH // 2, (h + 1) * WIDTH // 2)
        share = (n @ q[own].T @ (n @ k[own].T).mT / (WIDTH / 2) ** 0.5).softmax(-1)
        heads.append(share @ (n @ v[own].T))
    return x + block.attn.proj(torch.cat(heads, -1))


def mlp(block: Any, x: Tensor) -> Tensor:
    return block.mlp.fc2(F.gelu(block.mlp.fc1(block.norm2(x))))


def of_ppt(case: Case) -> Tensor:
    """In the authors' order: class token, groups, prompt tokens."""
    first = case.all(ppt.Prompted)[0]
    (beside,) = [m for m in case.all(ppt.Bottleneck) if m not in (first.prompts, first.groups)]
    x = torch.cat([case.with_class(case.groups, "token"), case.groups[:, :7]], 1)
    pos = torch.cat([case.with_class(case.pos, "pos"), case.pos[:, :7]], 1)
    for _, block in case.blocks():
        x = x + pos
        own, more = x[:, 1 : 1 + GROUPS], x[:, 1 + GROUPS :]
        own = own + first.groups.up(F.gelu(first.groups.down(own)))
        more = more + first.prompts.up(F.gelu(first.prompts.down(more)))
        x = attended(block, torch.cat([x[:, :1], own, more], 1))
        x = x + mlp(block, x) + beside.up(F.gelu(beside.down(x)))
    x = case.net.norm(x)
    return torch.cat([x[:, :1], x[:, 1 + GROUPS :], x[:, 1 : 1 + GROUPS]], 1)


def of_idpt(case: Case) -> Tensor:
    (generator,), (placed,) = case.all(idpt.Generator), case.all(idpt.Placed)
    x, pos = case.with_class(case.groups, "token"), case.with_class(case.pos, "pos")
    for index, block in case.blocks():
        if index == DEPTH - 1:
            prompt = torch.stack([prompt_of(generator, cloud[1:]) for cloud in x])
            x = torch.cat([x[:, :1], prompt[:, None], x[:, 1:]], 1)
            own = placed.position.expand(len(x), 1, -1)
            pos = torch.cat([pos[:, :1], own, pos[:, 1:]], 1)
        x = attended(block, x + pos)
        x = x + mlp(block, x)
    return case.net.norm(x)


def prompt_of(generator: Any, f: Tensor) -> Tensor:
    def activated(norm: Any, y: Tensor) -> Tensor:
        return F.leaky_relu(y / (1 + 1e-5) ** 0.5 * norm.weight + norm.bias, 0.2)

    found = []
    for layer in generator.edges:
        near = torch.cdist(f, f).argsort(1)[:, :4]
        edges = torch.cat([f[near] - f[:, None], f[:, None].expand(-1, 4, -1)], -1)
        f = activated(layer.norm, edges @ layer.map.weight.T).amax(1)
        found.append(f)
    return activated(generator.norm, torch.cat(found, 1) @ generator.join.weight.T).amax(0)


def of_pointgst(case: Case) -> Tensor:
    bases, modules = spectra(case.centres, 5), iter(case.all(Spectral))
    x, pos = case.with_class(case.groups, "token"), case.with_class(case.pos, "pos")
    for _, block in case.blocks():
        x, own = attended(block, x + pos), next(modules)
        t = torch.stack([spectral(own, cloud, bases, i) for i, cloud in enumerate(x)])
        x = x + mlp(block, x) + t
    return case.net.norm(x)


def spectral(own: Any, x: Tensor, bases: Any, i: int) -> Tensor:
    def filtered(p: Tensor, u: Tensor, norm: Any) -> Tensor:
        f = u.to(p).T @ p
        return u.to(p) @ (f + F.silu(own.shared(norm(f))))

    h = own.down(x)
    p, g, order = h[1:], F.silu(h), bases.order_BG[i]
    moved = filtered(p, bases.whole_BGG[i], own.norm_whole)
    for at, u in zip((0, 5, 10), [*bases.chunks[0][i], *bases.chunks[1][i]], strict=True):
        moved[order[at : at + 5]] += filtered(p[order[at : at + 5]], u, own.norm_local)
    return own.up(torch.cat([g[:1], g[1:] + moved]))


def of_stag(case: Case) -> Tensor:
    """The head reads tokens in front of the last norm."""
    down, (layer,) = case.all(Lowered)[0].down, case.all(GraphLayer)
    near = torch.cdist(case.centres, case.centres).argsort(-1)[..., :3]
    x, pos, s = case.with_class(case.groups, "token"), case.with_class(case.pos, "pos"), 0
    for index, block in case.blocks():
        s = s + down(x[:, 1:])
        x = attended(block, x + pos)
        x = x + mlp(block, x)
        if index >= DEPTH // 2:
            most = torch.stack([o[n].amax(1) for o, n in zip(layer.other(s), near, strict=True)])
            s = layer.out(layer.own(s) + most)
            d = layer.up(s).relu()
            x = x + torch.cat([d.mean(1, keepdim=True), d], 1)
    return x


def of_point_peft(case: Case) -> Tensor:
    own = case.groups.amax(1)  # of the training clouds, which are the same, too
    (memory,) = case.all(Memory)
    torch.testing.assert_close(memory.bank, torch.cat([own, torch.zeros_like(own[:1])]))
    unit = own / own.norm(dim=1, keepdim=True)
    values, index = (unit @ unit.T).topk(2)
    share = (values / 0.1).softmax(-1)
    mean = (share[..., None] * own[index]).sum(1)
    remembered = torch.cat([own[:, None], mean[:, None], own[index]], 1)
    prompts, steps = iter(case.all(point_peft.Prompts)), iter(case.all(Geometry))
    at = case.model.adapter.get_submodule
    x, pos = case.with_class(case.groups, "token"), case.with_class(case.pos, "pos")
    for index, block in case.blocks():
        x, places, many = x + pos, case.centres, 0
        if index < DEPTH // 2:
            prompt, many = next(prompts), 4
            added = prompt.tokens + remembered + quick(prompt.remembers, remembered)
            x = torch.cat([x[:, :1], added, x[:, 1:]], 1)
        inner, last = (
            at(f"blocks.{index}.mlp_out.branches.0"),
            at(f"blocks.{index}.block_out.branches.1"),
        )
        step = next(steps)
        if many:
            places = torch.cat([step.points.expand(len(x), -1, -1), places], 1)
        x, y = attended(block, x), 0
        y = mlp(block, x)
        x = x + y + 0.7 * quick(inner, y)
        moved = torch.stack([stepped(step, t[1:], p) for t, p in zip(x, places, strict=True)])
        x = torch.cat([x[:, :1], x[:, 1:] + moved], 1)
        x = x + quick(last, x)
        x = torch.cat([x[:, :1], x[:, 1 + many :]], 1)
    return case.net.norm(x)


def quick(own: Any, x: Tensor) -> Tensor:
    h = own.down(x)
    return own.up(h * torch.sigmoid(1.702 * h))


def stepped(step: Any, t: Tensor, places: Tensor) -> Tensor:
    """Of one cloud: farthest centres, attention of each with its neighbours, and back."""
    far, chosen = torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist"), [0]
    while len(chosen) < GROUPS // 2:
        chosen.append(int(far[chosen].amin(0).argmax()))
    found = []
    for i in chosen:
        own = t[far[i].argsort()[:3]]
        q, k, v = step.shared.qkv(step.shared.norm(own)).view(3, 3, 2, 3).permute(1, 2, 0, 3)
        mixed = (q @ k.mT / 6**0.5).softmax(-1) @ v
        own = own + step.shared.proj(mixed.transpose(0, 1).flatten(1))
        norm = step.norm
        y = own.amax(0) / (1 + 1e-5) ** 0.5 * norm.weight + norm.bias
        found.append(F.gelu(y) + 0.3 * t[i])
    weight = 1 / (far[:, chosen] ** 2 + 1e-8)
    return 0.3 * (weight / weight.sum(1, keepdim=True)) @ torch.stack(found)


FEW = {"rank": 4, "memory_rank": 2, "remembered": 2, "bank": 6, "neighbours": 3, "data": True}
FEW |= {"attention_width": 6, "attention_heads": 2}
REFERENCES: dict[str, tuple[Callable[[Case], Tensor], dict[str, Any]]] = {
    "ppt": (of_ppt, {"tokens": 7, "bottleneck": 5}),
    "idpt": (of_idpt, {"neighbours": 4}),
    "pointgst": (of_pointgst, {"rank": 3, "chunk": 5}),
    "stag": (of_stag, {"width": 4, "neighbours": 3}),
    "point_peft": (of_point_peft, FEW),
}


@pytest.mark.parametrize("method", REFERENCES)
@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_a_network_as_the_paper_has_it(method: str, dtype: torch.dtype, close: float) -> None:
    reference, settings = REFERENCES[method]
    case = Case(method, dtype, **settings)
    with torch.no_grad():
        expected = reference(case)
    size = expected.abs().amax().item()
    assert (case.found - expected).abs().amax().item() <= close * max(size, 1.0)
