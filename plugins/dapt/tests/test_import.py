"""`onlay import dapt`: the logits are those of the authors' network, restated in plain torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from torch import Tensor

import onlay
from onlay.cli import main
from onlay.errors import BundleError, ConfigError
from onlay_dapt.importer import converted, fill, frozen_network, read
from onlay_dapt.official import OfficialDapt, understand

pytest.importorskip("onlay_pointcloud", reason="the backbone comes with onlay-pointcloud")

State = dict[str, Tensor]


def clouds(points: int) -> Tensor:
    return torch.randn(2, points, 3, generator=torch.Generator().manual_seed(5))


@pytest.fixture
def difference(official_logits: Any) -> Callable[..., float]:
    """Between a model's and the official logits, the largest, relative to the latter's scale."""

    def measure(model: Any, state: State, cloud: Tensor, heads: int, **kwargs: Any) -> float:
        with torch.no_grad():
            expected = official_logits(state, model.backbone.group(cloud), heads, **kwargs)
            assert expected.std() > 0.05
            return ((model(cloud) - expected).abs().max() / expected.abs().max()).item()

    return measure


def saved(state: State, path: Path, prefix: str = "module.") -> Path:
    torch.save({"base_model": {prefix + n: t for n, t in state.items()}, "epoch": 3}, path)
    return path


def test_the_command_on_the_whole_network(
    official: Any, difference: Any, tmp_path: Path, host: Any
) -> None:
    """384 wide, 12 blocks, 128 groups, as the authors' file has it."""
    state = official()
    (tmp_path / "labels.txt").write_text("\n".join(f"class {i}" for i in range(15)))
    arguments = ["import", "dapt", str(saved(state, tmp_path / "ckpt-best.pth"))]
    arguments += ["--out", str(tmp_path / "scan"), "--labels", str(tmp_path / "labels.txt")]
    result = CliRunner().invoke(main, arguments, prog_name="onlay", obj=host)
    assert result.exit_code == 0, result.output
    loaded = onlay.load(tmp_path / "scan", host=host)
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
        from onlay_pointcloud.backbones.build import adopt
        from onlay_pointcloud.network.point_mae import PointMae

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
def test_a_small_network_with_each_head(
    small: Any, difference: Any, features: str, classes: int
) -> None:
    model, state = small(features, classes)
    assert model.task.pool == features.replace(" ", "+")
    assert difference(model, state, clouds(100), heads=3, features=features) < 1e-5


def factors(tensor: Tensor) -> Tensor:
    return 0.5 + torch.rand(tensor.shape, generator=torch.Generator().manual_seed(9))


def test_every_tensor_of_the_file_matters(small: Any, official_logits: Any) -> None:
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


def test_a_named_checkpoint_must_be_the_files_own(small: Any, difference: Any, host: Any) -> None:
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
    result = CliRunner().invoke(main, arguments, prog_name="onlay", obj=host)
    assert result.exit_code == 2
    assert "is no state dict of DAPT" in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()
