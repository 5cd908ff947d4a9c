"""The bundled weights are what their facts say, and know more than random ones."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import RidgeClassifier
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from onlay.errors import BundleError
from onlay_pointcloud import bundled
from onlay_pointcloud.backbones.bundled import build
from onlay_pointcloud.backbones.config import BundledConfig
from onlay_pointcloud.network.point_mae import PointMae


@pytest.fixture(scope="module")
def shipped() -> PointMae:
    net = PointMae(**bundled.ARCHITECTURE)
    net.load_state_dict(load_file(bundled.weights_path()), strict=True)
    return net.eval()


def test_the_file_is_small_and_is_the_one_described() -> None:
    content = bundled.weights_path().read_bytes()
    assert len(content) <= 6_000_000
    assert hashlib.sha256(content).hexdigest() == bundled.SHA256


def test_weights_of_ones_own_take_the_place_of_the_released_ones(tmp_path: Path) -> None:
    own = {name: tensor.half() for name, tensor in load_file(bundled.weights_path()).items()}
    own["norm.weight"] = torch.full_like(own["norm.weight"], 2.0)
    save_file(own, file := tmp_path / "own.safetensors")
    module = build(BundledConfig(weights=file)).module
    assert module.norm.weight.unique().tolist() == [2.0]
    save_file({"norm.weight": own["norm.weight"]}, file)
    with pytest.raises(BundleError, match=r"is no checkpoint for `onlay_points`: missing tensors"):
        build(BundledConfig(weights=file))


def test_reading_the_facts_imports_no_torch() -> None:
    code = "import sys; from onlay_pointcloud import bundled; print('torch' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"


def test_the_network_has_at_most_three_million_parameters_all_of_them_used(
    shipped: PointMae,
) -> None:
    width = 192
    block = 12 * width**2 + 10 * width  # no bias for q, k, v
    groups = (3 + 1) * 64 + 2 * 64 + (64 + 1) * 128 + (256 + 1) * 256 + 2 * 256 + (256 + 1) * width
    places = (3 + 1) * 128 + (128 + 1) * width
    by_hand = 6 * block + groups + places + 2 * width + 2 * width
    assert sum(p.numel() for p in shipped.parameters()) == by_hand == 2_816_128
    assert all(p.std() > 0 for p in shipped.parameters())


def test_tensors_are_halves_but_for_counters() -> None:
    state = load_file(bundled.weights_path())
    counters = [name for name, tensor in state.items() if tensor.dtype == torch.int64]
    assert counters == [
        "encoder.first_conv.1.num_batches_tracked",
        "encoder.second_conv.1.num_batches_tracked",
    ]
    assert {t.dtype for name, t in state.items() if name not in counters} == {torch.float16}
    assert all(torch.isfinite(t).all() for t in state.values())


@torch.inference_mode()
def test_features_know_more_of_people_than_random_weights_do(shipped: PointMae) -> None:
    """A ridge classifier on the groups' mean; the training part only, its clouds sixteen apart."""
    clouds, labels = _radar()
    torch.manual_seed(0)
    random = PointMae(**bundled.ARCHITECTURE).eval()
    learn = np.arange(len(labels)) % 10 < 8
    scores = []
    for net in (shipped, random):
        x = torch.cat([net(part)[:, 1:].mean(1) for part in clouds.split(64)]).numpy()
        assert np.isfinite(x).all()
        x = StandardScaler().fit_transform(x)
        ridge = RidgeClassifier(30.0).fit(x[learn], labels[learn])
        scores.append(ridge.score(x[~learn], labels[~learn]))
    assert scores[0] > scores[1] + 0.04


def _radar() -> tuple[Tensor, np.ndarray]:
    root = Path(os.environ.get("ONLAY_DATA", Path(__file__).parents[4] / "shared" / "data"))
    path = root / "radhar" / "radhar.npz"
    if not path.is_file():
        pytest.skip("needs the radar clouds of `radhar` (set ONLAY_DATA)")
    with np.load(path, allow_pickle=False) as file:
        clouds, labels = torch.from_numpy(file["x_Train"][::16]).float(), file["y_Train"][::16]
    clouds = clouds - clouds.mean(1, keepdim=True)
    return clouds / clouds.norm(dim=2).amax(1)[:, None, None], labels
