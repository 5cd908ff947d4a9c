"""`inlay import dapt`: the logits are those of the authors' network, restated in plain torch.

Shapes: B batch, G groups, K points of a group, S tokens, D width.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

import inlay
from inlay.cli import main
from inlay.errors import BundleError, ConfigError
from inlay_dapt.importer import converted, fill, frozen_network, read
from inlay_dapt.official import OfficialDapt, understand

pytest.importorskip("inlay_pointcloud", reason="the backbone comes with inlay-pointcloud")

State = dict[str, Tensor]
KEYS = Path(__file__).parent / "data" / "dapt.txt"
"""Names and shapes of a state dict that the authors' code saved: OBJ_BG, 15 classes."""


def official_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    for line in KEYS.read_text().splitlines():
        name, shape = line.rsplit(" ", 1)[0].split(" ", 1)
        yield name, tuple(int(size) for size in shape.strip("()").split(",") if size)


def value(name: str, shape: tuple[int, ...], g: torch.Generator) -> Tensor:
    """Away from zeros and ones; matrices of the size that keeps activations near 1."""
    if name.endswith("num_batches_tracked"):
        return torch.tensor(1234)
    normal = torch.randn(shape, generator=g)
    if "running_var" in name or "gamma" in name or (len(shape) == 1 and name.endswith("weight")):
        return (1 + 0.2 * normal).abs() if "var" in name else 1 + 0.2 * normal
    fan_in = torch.Size(shape[1:]).numel()
    return normal / fan_in**0.5 if len(shape) in (2, 3) and shape[0] > 1 else 0.2 * normal


@pytest.fixture(scope="session")
def official() -> Callable[..., State]:
    """`official(width=48, depth=2)`: a random state dict of the authors' names, whole or small."""

    def make(
        width: int = 384, depth: int = 12, rank: int = 64, classes: int = 15, features: int = 3
    ) -> State:
        g = torch.Generator().manual_seed(0)
        sizes = {384: width, 1152: 3 * width, 1536: 4 * width, 64: rank, 15: classes}
        state = {}
        for name, shape in official_shapes():
            block = re.match(r"blocks\.blocks\.(\d+)", name)
            if block is None or int(block[1]) < depth:
                smaller = tuple(sizes.get(size, size) for size in shape)
                if name == "cls_head_finetune.0.weight":
                    smaller = (256, features * width)
                state[name] = value(name, smaller, g)
        return state

    return make


def linear(s: State, name: str, x: Tensor) -> Tensor:
    y = x @ s[f"{name}.weight"].flatten(1).T
    return y + s[f"{name}.bias"] if f"{name}.bias" in s else y


def layer_norm(s: State, name: str, x: Tensor) -> Tensor:
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt() * s[f"{name}.weight"] + s[f"{name}.bias"]


def batch_norm(s: State, name: str, x: Tensor) -> Tensor:
    spread = (s[f"{name}.running_var"] + 1e-5).sqrt()
    return (x - s[f"{name}.running_mean"]) / spread * s[f"{name}.weight"] + s[f"{name}.bias"]


def tfts(s: State, name: str, number: int, x: Tensor) -> Tensor:
    return x * s[f"{name}tfts_gamma_{number}"] + s[f"{name}tfts_beta_{number}"]


def mini_pointnet(s: State, patches_BGK3: Tensor) -> Tensor:
    f = linear(s, "encoder.first_conv.0", patches_BGK3)
    f = linear(s, "encoder.first_conv.3", batch_norm(s, "encoder.first_conv.1", f).relu())
    f = torch.cat([f.amax(2, keepdim=True).expand_as(f), f], -1)  # the whole group first
    f = batch_norm(s, "encoder.second_conv.1", linear(s, "encoder.second_conv.0", f)).relu()
    return linear(s, "encoder.second_conv.3", f).amax(2)


def attention(s: State, at: str, x_BSD: Tensor, heads: int) -> Tensor:
    qkv = tfts(s, at, 1, linear(s, f"{at}qkv", x_BSD))
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in qkv.chunk(3, -1))
    weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
    return tfts(s, at, 2, linear(s, f"{at}proj", (weights @ v).transpose(1, 2).flatten(2)))


def adapter(s: State, at: str, z: Tensor) -> Tensor:
    u = layer_norm(s, f"{at}adapter_layer_norm_before", z)
    scale = linear(s, f"{at}scale", u).relu()
    return scale * linear(s, f"{at}up_proj", F.gelu(linear(s, f"{at}down_proj", u)))


def block(s: State, at: str, x: Tensor, heads: int) -> Tensor:
    x = x + attention(s, f"{at}attn.", tfts(s, at, 1, layer_norm(s, f"{at}norm1", x)), heads)
    z = tfts(s, at, 2, layer_norm(s, f"{at}norm2", x))
    a = adapter(s, f"{at}Adapter_MLP.", z)
    mlp = F.gelu(tfts(s, f"{at}mlp.", 1, linear(s, f"{at}mlp.fc1", z)))
    x = x + tfts(s, f"{at}mlp.", 2, linear(s, f"{at}mlp.fc2", mlp)) + a
    prompt = tfts(s, at, 3, F.gelu(a).mean(1, keepdim=True))
    return torch.cat([x[:, :1], prompt, x[:, 1:]], 1)


def official_logits(
    s: State, groups: tuple[Tensor, Tensor], heads: int, features: str = "cls prompts max"
) -> Tensor:
    """The authors' network in evaluation on groups (B, G, K, 3) around centres (B, G, 3)."""
    patches, centres = groups
    tokens = tfts(s, "", 1, mini_pointnet(s, patches))
    B, G, D = tokens.shape
    pos = linear(s, "pos_embed.2", F.gelu(linear(s, "pos_embed.0", centres)))
    x = torch.cat([s["cls_token"].expand(B, -1, -1), tokens], 1)
    x = x + torch.cat([s["cls_pos"].expand(B, -1, -1), pos], 1)  # once
    depth = sum(name.endswith("attn.qkv.weight") for name in s)
    for i in range(depth):
        x = block(s, f"blocks.blocks.{i}.", x, heads)
    assert x.shape == (B, 1 + depth + G, D)
    x = tfts(s, "", 2, layer_norm(s, "norm", x))
    read = {"cls": x[:, 0], "prompts": x[:, 1:-G].mean(1), "max": x[:, -G:].amax(1)}
    y = torch.cat([read[name] for name in features.split()], -1)
    for numbers in (("0", "1"), ("4", "5")):
        layer, norm = (f"cls_head_finetune.{n}" for n in numbers)
        y = batch_norm(s, norm, linear(s, layer, y)).relu()
    return linear(s, "cls_head_finetune.8", y)


def clouds(points: int) -> Tensor:
    return torch.randn(2, points, 3, generator=torch.Generator().manual_seed(5))


def difference(model: Any, state: State, cloud: Tensor, heads: int, **kwargs: Any) -> float:
    """The largest, relative to the scale of the official logits."""
    with torch.no_grad():
        expected = official_logits(state, model.backbone.group(cloud), heads, **kwargs)
        assert expected.std() > 0.05
        return ((model(cloud) - expected).abs().max() / expected.abs().max()).item()


def saved(state: State, path: Path, prefix: str = "module.") -> Path:
    torch.save({"base_model": {prefix + n: t for n, t in state.items()}, "epoch": 3}, path)
    return path


def test_the_command_on_the_whole_network(official: Any, tmp_path: Path, host: Any) -> None:
    """384 wide, 12 blocks, 128 groups, as the authors' file has it."""
    state = official()
    (tmp_path / "labels.txt").write_text("\n".join(f"class {i}" for i in range(15)))
    arguments = ["import", "dapt", str(saved(state, tmp_path / "ckpt-best.pth"))]
    arguments += ["--out", str(tmp_path / "scan"), "--labels", str(tmp_path / "labels.txt")]
    result = CliRunner().invoke(main, arguments, prog_name="inlay", obj=host)
    assert result.exit_code == 0, result.output
    loaded = inlay.load(tmp_path / "scan", host=host)
    assert difference(loaded, state, clouds(2048)[:1], heads=6) < 1e-5
    assert loaded.trainable_report().trainable == 1_087_771
    assert loaded.head.labels[3] == "class 3"
    frozen = tmp_path / "scan-backbone.safetensors"
    assert loaded.built.source["weights"] == str(frozen.resolve())
    kept, name = load_file(frozen), "blocks.blocks.7.mlp.fc1.weight"
    assert torch.equal(kept[name], state[name])
    assert not [name for name in kept if "tfts" in name or "Adapter" in name]


@pytest.fixture
def small(official: Any, tmp_path: Path, host: Any) -> Callable[..., tuple[Any, State]]:
    """A file of a 48 wide network of 2 blocks, on a network of that size."""

    def make(pool: str = "cls prompts max", classes: int = 15) -> tuple[Any, State]:
        from inlay_pointcloud.backbones.build import adopt
        from inlay_pointcloud.network.point_mae import PointMae

        state = official(48, 2, rank=5, classes=classes, features=len(pool.split()))
        file = understand(saved(state, tmp_path / "small.pth", prefix=""))
        built = adopt(PointMae(groups=16, group_size=8, width=48, depth=2, heads=3, embed=48))
        assert built is not None
        fill(built, file)
        return converted(file, built, labels=None, host=host), state

    return make


@pytest.mark.parametrize(
    ("features", "classes"),
    [("cls prompts max", 15), ("cls prompts", 15), ("cls max", 40), ("cls", 15)],
)
def test_a_small_network_with_each_head(small: Any, features: str, classes: int) -> None:
    model, state = small(features, classes)
    assert model.task.pool == features.replace(" ", "+")
    assert difference(model, state, clouds(100), heads=3, features=features) < 1e-5


def factors(tensor: Tensor) -> Tensor:
    return 0.5 + torch.rand(tensor.shape, generator=torch.Generator().manual_seed(9))


def test_every_tensor_of_the_file_matters(small: Any) -> None:
    """Otherwise a wrong destination of two like-shaped tensors could go unseen."""
    model, state = small()
    cloud = clouds(100)
    groups = model.backbone.group(cloud)
    with torch.no_grad():
        reference = official_logits(state, groups, 3)
        for name, tensor in state.items():
            if not name.endswith("num_batches_tracked"):
                moved = official_logits(state | {name: tensor * factors(tensor)}, groups, 3)
                assert (moved - reference).abs().max() > 1e-4, name


def test_what_the_file_does_not_say(official: Any, tmp_path: Path, host: Any) -> None:
    def spec(backbone: str | None, classes: int) -> tuple[int, int, Any]:
        file = understand(saved(official(8, 1, classes=classes), tmp_path / "x.pth"))
        built = frozen_network(file, backbone, host)
        return built.input_spec["npoints"], built.input_spec["groups"], built.label

    assert spec(None, 40) == (1024, 64, "point_mae")
    assert spec("act", 15) == (2048, 128, "act")
    assert spec('{"groups": 32, "npoints": 512}', 40) == (512, 32, "point_mae")
    with pytest.raises(ConfigError, match=r"`\{groups: 32\}` is no JSON"):
        spec("{groups: 32}", 40)


def test_another_size_is_refused(official: Any, tmp_path: Path, host: Any) -> None:
    path = saved(official(48, 2), tmp_path / "x.pth")
    with pytest.raises(BundleError, match=r"holds no `point_mae`: .*`blocks\.blocks\.0"):
        read(path, host=host)


def test_a_named_checkpoint_must_be_the_files_own(small: Any, host: Any) -> None:
    """All but class token and statistics, which training moved."""
    model, state = small()
    file, built = OfficialDapt(state, "x.pth", 2), model.built
    model.detach()
    with torch.no_grad():
        built.module.cls_token += 1
        built.module.encoder.first_conv[1].running_mean += 1
    again = converted(file, built, labels=None, host=host)
    assert difference(again, state, clouds(100), heads=3) < 1e-5
    again.detach()
    with torch.no_grad():
        built.module.blocks.blocks[1].mlp.fc1.bias += 0.1
    with pytest.raises(BundleError, match=r"not trained on .*`blocks\.blocks\.1\.mlp\.fc1\.bias`"):
        converted(file, built, labels=None, host=host)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s.pop("blocks.blocks.1.Adapter_MLP.scale.bias"),
         r"missing tensors `blocks\.blocks\.1\.Adapter_MLP\.scale\.bias`"),
        (lambda s: s.pop("norm.weight"), r"`norm\.weight`"),
        (lambda s: s.pop("blocks.blocks.0.attn.qkv.weight"), r"`blocks\.blocks\.0\.attn\.qkv"),
        (lambda s: s.update(prompt_embeddings=torch.zeros(3)),
         r"unexpected tensors `prompt_embeddings`"),
        (lambda s: s.update(tfts_gamma_1=torch.zeros(3)), r"other shapes `tfts_gamma_1`"),
        (lambda s: [s.pop(n) for n in list(s) if ".1." in n and "Adapter" in n],
         r"`blocks\.blocks\.1\."),
    ],
)  # fmt: skip
def test_incomplete_files(small: Any, host: Any, change: Any, told: str) -> None:
    model, state = small()
    model.detach()
    change(state)
    file = OfficialDapt(state, "x.pth", 2)
    with pytest.raises(BundleError, match=told):
        converted(file, model.built, labels=None, host=host)


def test_the_command_refuses_in_one_sentence(official: Any, tmp_path: Path, host: Any) -> None:
    state = {n: t for n, t in official(8, 1).items() if "Adapter" not in n}
    arguments = ["import", "dapt", str(saved(state, tmp_path / "x.pth"))]
    arguments += ["--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, arguments, prog_name="inlay", obj=host)
    assert result.exit_code == 2
    assert "is no state dict of DAPT" in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()
