"""The bundled weights are what their facts say, and the script beside them makes such a file."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sklearn.linear_model import RidgeClassifier
from sklearn.preprocessing import StandardScaler
from timm.models.vision_transformer import VisionTransformer

import onlay
from onlay.errors import BundleError, CannotFold
from onlay_image import bundled
from onlay_image.backbones import build
from onlay_image.backbones import bundled as bundled_backbone
from onlay_image.backbones.config import BundledConfig, TimmConfig
from onlay_image.backbones.stem import with_stem
from onlay_image.export import export

SCRIPTS = Path(__file__).parents[1] / "pretraining"
SHARED = Path(__file__).parents[3] / "pretraining"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Import one of the pretraining scripts, which lie outside the package."""
    pytest.importorskip(
        "skimage", reason="its sample photographs are part of the pretraining images"
    )
    before = set(sys.modules)
    monkeypatch.syspath_prepend(SHARED)
    monkeypatch.syspath_prepend(SCRIPTS)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(SCRIPTS)):
            del sys.modules[name]


@pytest.fixture
def shipped() -> VisionTransformer:
    net = VisionTransformer(**with_stem(bundled.ARCHITECTURE))
    net.load_state_dict(load_file(bundled.weights_path()), strict=True)
    return net.eval()


def test_the_file_is_small_and_is_the_one_described() -> None:
    content = bundled.weights_path().read_bytes()
    assert len(content) <= 6_000_000
    assert hashlib.sha256(content).hexdigest() == bundled.SHA256


def test_reading_the_facts_imports_no_torch() -> None:
    code = "import sys; from onlay_image import bundled; print('torch' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"


def test_the_network_has_at_most_three_million_parameters_all_of_them_used(
    shipped: VisionTransformer,
) -> None:
    # 6 blocks of 12 * 192^2 + 13 * 192, the stem, 65 positions, class token, last norm.
    widths = [3, 48, 96, 192]
    stem = sum(9 * a * b + 3 * b for a, b in pairwise(widths)) + 192 * 193
    by_hand = 6 * (12 * 192**2 + 13 * 192) + stem + 65 * 192 + 192 + 2 * 192
    assert sum(p.numel() for p in shipped.parameters()) == by_hand <= 3_000_000
    assert all(p.std() > 0 for p in shipped.parameters())
    assert {t.dtype for t in load_file(bundled.weights_path()).values()} == {torch.float16}
    assert {p.dtype for p in shipped.parameters()} == {torch.float32}


def test_features_are_finite_and_tell_images_apart(
    shipped: VisionTransformer, script: Callable[[str], ModuleType]
) -> None:
    views = np.stack([script("procedural").render(99, scene, 0) for scene in range(16)])
    images = torch.from_numpy(views).permute(0, 3, 1, 2)[..., 4:68, 4:68] / 127.5 - 1
    with torch.inference_mode():
        features = shipped.forward_features(images)[:, 0]
        same = shipped.forward_features(images[:1] + 0.01)[:, 0]
    assert torch.isfinite(features).all()
    apart = torch.cdist(features, features).fill_diagonal_(torch.inf).min()
    assert apart > 2 * torch.dist(features[:1], same)


def test_features_know_more_of_hands_than_random_weights_do(
    shipped: VisionTransformer, script: Callable[[str], ModuleType]
) -> None:
    """A ridge classifier on class tokens, 130 photographs to learn from and 76 to tell."""
    probe = script("probe")
    images, labels = probe.read(_photographs(), every=10)
    order = np.random.default_rng(0).permutation(len(labels))
    train, test = order[:130], order[130:]
    scores = []
    for net in (shipped, probe.build("random")):
        x = StandardScaler().fit_transform(probe.features(net, images, "cls"))
        ridge = RidgeClassifier(30.0).fit(x[train], labels[train])
        scores.append(ridge.score(x[test], labels[test]))
    assert scores[0] > scores[1] + 0.1


def _photographs() -> Path:
    root = Path(os.environ.get("ONLAY_DATA", Path(__file__).parents[4] / "shared" / "data"))
    if not (root / "sign_digits").is_dir():
        pytest.skip("needs the photographs of `sign_digits` (set ONLAY_DATA)")
    return root / "sign_digits"


def test_images_hang_on_their_three_numbers_alone(script: Callable[[str], ModuleType]) -> None:
    procedural = script("procedural")
    first = [procedural.render(3, scene, view) for scene in range(25) for view in (0, 1)]
    assert {image.shape for image in first} == {(72, 72, 3)}
    np.random.default_rng(0).random(5)
    again = [procedural.render(3, scene, view) for scene in range(25) for view in (0, 1)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({image.tobytes() for image in first}) == 50
    assert not np.array_equal(first[0], procedural.render(4, 0, 0))
    assert np.std([image.mean() for image in first]) > 15
    assert np.median([image.std() for image in first]) > 15


@pytest.mark.parametrize(
    "kind", ["hand", "creature", "strokes", "leaves", "fractal", "photograph", "noise"]
)
def test_every_kind_of_scene_draws(kind: str, script: Callable[[str], ModuleType]) -> None:
    procedural = script("procedural")
    draw = getattr(procedural, kind)
    assert draw in procedural.KINDS
    picture = draw(np.random.default_rng(1), np.random.default_rng(2))
    other = draw(np.random.default_rng(5), np.random.default_rng(2))
    assert picture.shape == (72, 72, 3)
    assert np.isfinite(picture).all()
    assert np.abs(picture - other).mean() > 0.01
    assert sum(procedural.KINDS.values()) == pytest.approx(1)


def test_gradient_histograms_of_a_ramp(script: Callable[[str], ModuleType]) -> None:
    """A picture that brightens to the right has all its gradients in bin 0 (angle 0); one that
    brightens downwards half each in the two bins beside 90 degrees (4.5 of 9 bins).
    """
    histograms = script("objective").gradient_histograms
    ramp = torch.linspace(-50, 50, 64).expand(1, 3, 64, 64)
    inner = torch.arange(64).view(8, 8)[1:-1, 1:-1].flatten()  # at the border gradients are halved
    right = histograms(ramp, 8).view(64, 9, 4)[inner]
    assert (right[:, 0] > 2.9).all()  # one of nine equal shares of the mean square: sqrt(9) = 3
    assert right[:, 1:].abs().max() < 1e-5
    down = histograms(ramp.transpose(2, 3), 8).view(64, 9, 4)[inner]
    assert torch.allclose(down[:, 4], down[:, 5], atol=1e-4)
    assert (down[:, 4] > 2.0).all()  # sqrt(9 / 2) = 2.12
    assert down[:, [0, 1, 2, 3, 6, 7, 8]].abs().max() < 1e-5


def test_contrast_by_hand(script: Callable[[str], ModuleType]) -> None:
    """Two things on two axes: each row meets its partner at cosine 1 and the two others at 0."""
    rows = torch.tensor([[1.0, 0], [2, 0], [0, 1], [0, 3]])
    by_hand = np.log(np.exp(2) + 2) - 2  # temperature 1/2
    assert script("contrast").info_nce(rows, 0.5).item() == pytest.approx(by_hand, abs=1e-6)


def test_two_steps_write_a_file_that_loads_and_the_third_resumes(
    tmp_path: Path, script: Callable[[str], ModuleType]
) -> None:
    pretrain, pool = script("pretrain"), script("pool")
    options = ["--out", str(tmp_path), "--scenes", "4", "--batch", "2", "--max-steps"]
    script("shards").make_shard((tmp_path / "a.npy", pool.scenes, 0, 0, 4))
    drawn = np.load(tmp_path / "a.npy")
    assert drawn.shape == (4, 2, 72, 72, 3)
    assert np.array_equal(drawn[3, 1], script("procedural").render(0, 3, 1))
    scenes = torch.from_numpy(drawn)
    run = pretrain.run(pretrain.parse([*options, "2"]), torch.device("cpu"))
    encoder = run.model.pair.student["encoder"]
    start = encoder.blocks[5].mlp.fc2.weight.clone()
    run.train(scenes)
    assert run.status() == 143  # the schedule is not at its end
    assert not torch.equal(start, encoder.blocks[5].mlp.fc2.weight)
    state = load_file(tmp_path / bundled.FILE)
    script("networks").empty("shipped").load_state_dict(state, strict=True)
    resumed = pretrain.run(pretrain.parse([*options, "3"]), torch.device("cpu"))
    assert resumed.step == 2
    assert torch.equal(resumed.model.pair.student["encoder"].cls_token, encoder.cls_token)
    resumed.train(scenes)
    assert resumed.step == 3


@pytest.mark.parametrize("objective", ["ibot", "mae"])
def test_killed_and_continued_the_bits_are_the_same(
    tmp_path: Path,
    objective: str,
    script: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretrain, networks = script("pretrain"), script("networks")
    small = networks.NETWORKS["conv8"] | {"embed_dim": 24, "depth": 1}
    monkeypatch.setitem(networks.NETWORKS, "conv8", small)
    scenes = torch.arange(8 * 2 * 72 * 72 * 3).mul(7919).remainder(251).to(torch.uint8)
    scenes = scenes.view(8, 2, 72, 72, 3)

    def trained(folder: Path, *more: str) -> dict[str, torch.Tensor]:
        folder.mkdir(exist_ok=True)
        chosen = ["--objective", objective, "--network", "conv8", "--prototypes", "16"]
        options = ["--out", str(folder), *chosen, "--batch", "3", "--steps", "3", *more]
        parsed = pretrain.parse(options)
        run = pretrain.run(parsed, pretrain.begun(parsed))
        run.train(scenes)
        return run.model.state_dict()

    whole = trained(tmp_path / "whole")
    half = trained(tmp_path / "killed", "--max-steps", "1")
    assert any(not torch.equal(whole[name], half[name]) for name in whole)
    again = trained(tmp_path / "killed")
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    first, second = ((tmp_path / name / bundled.FILE).read_bytes() for name in ("whole", "killed"))
    assert first == second
    with safe_open(tmp_path / "whole" / bundled.FILE, "pt") as file:
        told = json.loads(file.metadata()["pretraining"])
    assert told == {"step": 3, "network": "conv8", "objective": objective, "batch": 3}
    probed = script("probe").build(str(tmp_path / "whole" / bundled.FILE))
    assert probed.blocks[0].norm1.weight.shape == (24,)


def test_every_architecture_is_timms_and_fits(script: Callable[[str], ModuleType]) -> None:
    networks = script("networks")
    for name in networks.NETWORKS:
        with torch.device("meta"):
            net = networks.empty(name)
        assert type(net) is VisionTransformer
        assert sum(p.numel() for p in net.parameters()) * 2 < 5_990_000, name
        grid = 16 if name == "patch4" else 8
        assert net.patch_embed.proj(torch.zeros(1, 3, 64, 64, device="meta")).shape[2:] == (
            grid,
            grid,
        )


def test_hidden_patches_are_not_seen_and_parts_have_their_own_positions(
    script: Callable[[str], ModuleType],
) -> None:
    """Without a stem a patch is seen at its own place alone; 32 pixels are 4 by 4 patches."""
    networks = script("networks")
    net = VisionTransformer(**networks.NETWORKS["patch8"] | {"depth": 1, "embed_dim": 24}).eval()
    pictures = torch.rand(2, 3, 64, 64)
    assert torch.allclose(networks.tokens(net, pictures), net.forward_features(pictures), atol=1e-6)
    hidden = torch.zeros(2, 64, dtype=torch.bool)
    hidden[:, 9] = True  # rows 8 to 15, columns 8 to 15
    other = pictures.clone()
    other[:, :, 8:16, 8:16] = 0
    told = [networks.tokens(net, images, torch.ones(24), hidden) for images in (pictures, other)]
    assert torch.equal(told[0], told[1])
    assert not torch.allclose(told[0], networks.tokens(net, other), atol=1e-4)
    assert networks.tokens(net, pictures[..., :32, :32]).shape == (2, 17, 24)


def test_views_hang_on_their_generator_and_keep_their_range(
    script: Callable[[str], ModuleType],
) -> None:
    augment, pictures = script("augment"), torch.rand(6, 3, 72, 72)
    for look, size in ((augment.GENTLE, 64), (augment.WHOLE, 64), (augment.PART, 32)):
        drawn = [
            augment.Views(torch.Generator().manual_seed(seed)).draw(pictures, size, look)
            for seed in (0, 0, 1)
        ]
        assert drawn[0].shape == (6, 3, size, size)
        assert torch.equal(drawn[0], drawn[1])
        assert not torch.allclose(drawn[0], drawn[2])
        assert drawn[0].abs().max() <= 1.5


def test_somebodys_own_pictures_are_cut_into_windows(
    tmp_path: Path, script: Callable[[str], ModuleType]
) -> None:
    half = np.zeros((100, 200, 3), np.uint8)
    half[:, 100:] = 200
    (tmp_path / "deep").mkdir()
    Image.fromarray(half).save(tmp_path / "deep" / "a.png")
    pool = script("pool")
    windows = pool.pictures(tmp_path, 0, 5, 4)
    assert windows.shape == (4, 2, 72, 72, 3)
    assert np.array_equal(windows[1:], pool.pictures(tmp_path, 0, 6, 3))
    assert {0, 200} <= set(np.unique(windows))
    with pytest.raises(SystemExit, match="holds no pictures"):
        pool.listed(tmp_path / "none")


def test_a_bundle_of_former_weights_is_refused_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file takes the place of today's: nothing else is to be done."""
    model = onlay.adapt({"name": "onlay_vit_64"}, "linear", num_classes=2)
    model.packages["backbone"]["version"] = "0.0.9"
    folder = model.save_pretrained(tmp_path / "former")
    new = bundled.ARCHITECTURE | {"embed_dim": 24}
    state = VisionTransformer(**with_stem(new)).half().state_dict()
    path = tmp_path / bundled.FILE
    save_file(state, path)
    monkeypatch.setattr(bundled, "ARCHITECTURE", new)
    monkeypatch.setattr(bundled, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(bundled, "weights_path", lambda: path)
    with pytest.raises(BundleError, match="trained on other weights of `onlay_vit_64`") as caught:
        onlay.load(folder)
    assert "was made with `onlay-image` 0.0.9, and" in str(caught.value)
    grey = onlay.adapt({"name": "onlay_vit_64", "in_chans": 1}, "linear", num_classes=2)
    assert grey(torch.zeros(1, 1, 64, 64)).shape == (1, 2)
    again = onlay.load(grey.save_pretrained(tmp_path / "grey"))
    assert torch.equal(again(torch.ones(1, 1, 64, 64)), grey.eval()(torch.ones(1, 1, 64, 64)))
    with pytest.raises(CannotFold, match="`embed_layer`"):
        export(again, tmp_path / "timm")


def test_a_vit_of_ones_own_may_have_a_stem(tmp_path: Path) -> None:
    """3 to 24 to 48 channels, each 3 x 3 with a norm, then 1 x 1."""
    own = {"patch_size": 4, "embed_dim": 48, "depth": 1, "num_heads": 3, "embed_layer": "stem"}
    vit = {"name": "timm", "model": "vit_tiny_patch16_224", "pretrained": False, "img_size": 16}
    model = onlay.adapt(vit | {"model_kwargs": own}, "linear", num_classes=2).eval()
    assert sum(p.numel() for p in model.backbone.patch_embed.parameters()) == (
        (27 * 24 + 24 + 2 * 24) + (9 * 24 * 48 + 48 + 2 * 48) + (48 * 48 + 48)
    )
    again, image = onlay.load(model.save_pretrained(tmp_path / "own")), torch.ones(1, 3, 16, 16)
    assert torch.equal(again(image), model(image))
    with pytest.raises(CannotFold, match="how `vit_tiny_patch16_224` makes its patches"):
        export(again, tmp_path / "timm")


@pytest.mark.parametrize("local", [False, True])
def test_positions_of_another_shape_of_as_many_patches(
    tmp_path: Path, local: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """4 x 16 patches instead of 8 x 8: the table is what the square one shows to such a picture."""
    square = bundled_backbone.build(BundledConfig(dynamic_img_size=True)).module.eval()
    if local:
        save_file(square.state_dict(), tmp_path / "own.safetensors")
        kwargs = {k: v for k, v in bundled.ARCHITECTURE.items() if k != "img_size"}
        config = TimmConfig(
            model="vit_tiny_patch16_224",
            model_kwargs=kwargs,
            img_size=(32, 128),
            weights=tmp_path / "own.safetensors",
        )
        oblong = build.build(config).module.eval()
        assert "its positions are taken as learnt on a square of patches" in caplog.text
    else:
        oblong = bundled_backbone.build(BundledConfig(img_size=(32, 128))).module.eval()
    images = torch.rand(2, 3, 32, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = square.forward_features(images)
        found = oblong.forward_features(images)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
