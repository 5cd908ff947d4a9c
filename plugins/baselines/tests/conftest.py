"""Networks without values, and a transformer that is computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import onlay
from onlay import PluginHost
from onlay.model.adapted import AdaptedModel

Hook = Callable[..., Tensor]


@pytest.fixture(scope="session")
def host() -> PluginHost:
    return PluginHost.discover()


def _timm() -> Any:
    pytest.importorskip("onlay_image", reason="the backbones are timm's: onlay-image")
    return pytest.importorskip("timm", reason="comes with onlay-image")


@pytest.fixture(scope="session")
def empty() -> Callable[[str], Any]:
    """`empty("vit_base_patch16_224")`: a built backbone of full size, without values."""
    kept: dict[str, Any] = {}

    def make(name: str) -> Any:
        if name not in kept:
            kept[name] = _point_mae() if name == "point_mae" else _image(name)
        return kept[name]

    return make


def _image(name: str) -> Any:
    timm = _timm()
    from onlay_image.backbones.build import adopt

    with torch.device("meta"):
        return adopt(timm.create_model(name, num_classes=0))


def _point_mae() -> Any:
    pytest.importorskip("onlay_pointcloud", reason="point backbones come with onlay-pointcloud")
    from onlay_pointcloud.backbones.build import adopt
    from onlay_pointcloud.network.point_mae import PointMae

    with torch.device("meta"):
        return adopt(PointMae(groups=128, group_size=32))


@pytest.fixture(scope="session")
def adapted(host: PluginHost) -> Callable[..., AdaptedModel]:
    """`adapted("ssf", init_std=0.5)`: on a small ViT of two blocks, all trained tensors away from
    their start."""
    timm = _timm()

    def make(method: str, *, moved: bool = True, **settings: Any) -> AdaptedModel:
        torch.manual_seed(0)
        size = {"img_size": 32, "patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2}
        vit = timm.create_model("vit_tiny_patch16_224", num_classes=0, **size).eval()
        config = {"name": method, **settings}
        model = onlay.adapt(vit, config, num_classes=3, host=host, verify=False)
        with torch.no_grad():
            for parameter in model.trained_parameters().values() if moved else ():
                parameter.add_(0.3 * torch.randn_like(parameter))
        return model.double().eval()

    return make


@pytest.fixture(scope="session")
def modules() -> Callable[[AdaptedModel, type], list[Any]]:
    """`modules(model, Bottleneck)`: the adapter's of one class, in the order of their placing."""
    return lambda model, kind: [m for m in model.adapter.modules() if isinstance(m, kind)]


@pytest.fixture(scope="session")
def by_hand() -> Callable[..., Tensor]:
    """`by_hand(model, images, mlp_out=lambda i, y, x: ...)`: tokens behind the last norm, each
    step of timm's blocks written out; `x` is the stream behind attention."""

    def run(model: AdaptedModel, images: Tensor, **hooks: Hook) -> Tensor:
        def at(name: str, i: int, y: Tensor, *more: Tensor) -> Tensor:
            return hooks[name](i, y, *more) if name in hooks else y

        with model.disabled() as vit:
            net: Any = vit
            x = at("embed", 0, net.patch_embed(images))
            x = torch.cat([net.cls_token.expand(len(x), -1, -1), x], 1) + net.pos_embed
            for i, b in enumerate(net.blocks):
                x = at("block_in", i, x)
                a = at("attn_in", i, b.norm1(x))
                qkv = at("qkv", i, b.attn.qkv(a), a)
                q, k, v = qkv.unflatten(-1, (3, 2, -1)).permute(2, 0, 3, 1, 4)
                h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
                x = x + at("attn_out", i, b.attn.proj(h), h)
                x = at("mlp_res", i, x, a)
                m = at("mlp_in", i, b.norm2(x))
                hidden = at("fc2_in", i, F.gelu(at("fc1", i, b.mlp.fc1(m), m)))
                y = at("mlp_out", i, b.mlp.fc2(hidden), hidden)
                x = at("block_out", i, x + y, x, m)
            return at("norm", 0, net.norm(x))

    return run


@pytest.fixture(scope="session")
def images() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, 3, 32, 32, generator=generator, dtype=torch.float64)


def tokens(model: AdaptedModel, images: Tensor) -> Tensor:
    """Class token and patches of the adapted network."""
    with torch.no_grad():
        features = model.features(images)
    assert features.cls is not None
    return torch.cat([features.cls[:, None], features.patches], 1)


@pytest.fixture(name="tokens", scope="session")
def _tokens() -> Callable[[AdaptedModel, Tensor], Tensor]:
    return tokens
