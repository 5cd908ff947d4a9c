"""Metrics of depth: against a few lines of numpy, in any batches, over processes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from onlay.errors import DataError
from onlay.machine.system import CAN_FORK, ended, forked
from onlay_dense.depth.valid import cropped
from onlay_image.data.located import Located

pytest.importorskip("torchmetrics", reason="comes with onlay-train")

from onlay_dense.depth.metrics import DepthErrors
from onlay_dense.depth.report import condensed

LOW, HIGH = 0.1, 10.0
PADDED = {"img_size": [64, 64], "resize": "pad", "interpolation": "bilinear"}
PADDED |= {"mean": [0.5] * 3, "std": [0.5] * 3, "in_chans": 3}


def by_numpy(told: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Of a single picture's valid pixels, by definition."""
    t, g = np.clip(told, LOW, HIGH), true
    ratio, d = np.maximum(t / g, g / t), np.log(t) - np.log(g)
    found = {f"delta{n}": (ratio < 1.25**n).mean() for n in (1, 2, 3)}
    found |= {"abs_rel": (abs(t - g) / g).mean(), "sq_rel": ((t - g) ** 2 / g).mean()}
    found |= {"rmse": np.sqrt(((t - g) ** 2).mean()), "rmse_log": np.sqrt((d**2).mean())}
    found["log10"] = abs(np.log10(t) - np.log10(g)).mean()
    return found | {"silog": 100 * np.sqrt((d**2).mean() - d.mean() ** 2)}


def of_all(told: np.ndarray, true: np.ndarray, crop: str) -> dict[str, float]:
    """Of a set of pictures of 48 x 64."""
    if crop == "eigen":  # a tenth of 45:471 and 41:601
        told, true = told[:, 4:47, 4:60], true[:, 4:47, 4:60]
    if crop == "garg":
        told, true = told[:, 19:47, 2:61], true[:, 19:47, 2:61]
    kept = [(t[g_ok], g[g_ok]) for t, g in zip(told, true, strict=True) if (g_ok := ok(g)).any()]
    each = [by_numpy(t, g) for t, g in kept]
    errors = np.concatenate([np.clip(t, LOW, HIGH) - g for t, g in kept])
    means = {name: np.mean([one[name] for one in each]) for name in each[0]}
    return means | {"rmse_pooled": np.sqrt((errors**2).mean()), "left_out": len(true) - len(kept)}


def ok(true: np.ndarray) -> np.ndarray:
    return np.logical_and(true > LOW, true < HIGH)


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Pictures (B, 48, 64) with holes, depths beyond both ends, and now and then one without a
    valid pixel."""
    chance = np.random.default_rng(seed)
    true = np.exp(chance.uniform(-3, 3, (chance.integers(2, 6), 48, 64)))
    told = true * np.exp(chance.normal(0, 0.4, true.shape) + chance.normal(0, 0.2))
    true[chance.random(true.shape) < chance.choice([0, 0.3, 0.98])] = 0
    if seed % 3 == 0:
        true[-1] = chance.choice([0.0, 50.0, np.nan])
    told, true = told.astype(np.float32), true.astype(np.float32)
    return told, true, ("none", "eigen", "garg")[seed % 3 - 1]


def found(told: Tensor, true: Tensor, crop: str, batch: int) -> dict[str, float]:
    metric = DepthErrors(low=LOW, high=HIGH, crop=crop)
    for one, other in zip(told.split(batch), true.split(batch), strict=True):
        metric.update(one, other)
    return {name: value.item() for name, value in metric.compute().items()}


def test_errors_are_those_of_numpy_with_holes_and_crops() -> None:
    for seed in range(200):
        told, true, crop = random_case(seed)
        wanted = of_all(told.astype(np.float64), true.astype(np.float64), crop)
        got = found(torch.tensor(told), torch.tensor(true), crop, 1 + seed % 4)
        assert got == pytest.approx(wanted, rel=1e-6, abs=1e-6), seed


def test_both_rmses_by_hand() -> None:
    """A picture of one pixel that is off by 1, and one of three that are off by 3."""
    true = torch.tensor([[[2.0, 0.0, 0.0]], [[2.0, 2.0, 2.0]]])
    told = torch.tensor([[[3.0, 9.0, 9.0]], [[5.0, 5.0, 5.0]]])
    got = found(told, true, "none", 2)
    assert (got["rmse"], got["left_out"]) == (2.0, 0)  # (1 + 3) / 2
    assert got["rmse_pooled"] == pytest.approx((28 / 4) ** 0.5)  # (1 + 3 * 9) / 4


def test_a_batch_of_one_seven_and_all_agree() -> None:
    chance = torch.Generator().manual_seed(0)
    true = torch.rand(21, 8, 8, generator=chance) * 9
    told = torch.rand(21, 8, 8, generator=chance) * 9
    true[4] = 0
    alone, seven, whole = (found(told, true, "none", batch) for batch in (1, 7, 21))
    assert alone == seven == whole
    assert alone["left_out"] == 1


def test_crops_are_those_of_the_literature() -> None:
    nyu = cropped(torch.arange(480 * 640).view(1, 480, 640), "eigen")
    assert nyu.shape == (1, 471 - 45, 601 - 41)
    assert nyu[0, 0, 0] == 45 * 640 + 41
    kitti = cropped(torch.arange(375 * 1242).view(1, 375, 1242), "garg")
    assert kitti.shape == (1, 371 - 153, 1197 - 44)
    assert kitti[0, 0, 0] == 153 * 1242 + 44


def test_shares_of_a_padded_picture_are_those_of_its_own_part() -> None:
    """A picture of 48 x 64 that was padded to 64 x 64, with holes in its own first rows and
    columns; each depth tells its row, so that another crop would judge other rows."""
    depths = 1 + torch.arange(48.0)[:, None].expand(48, 64) / 10
    depths = depths.clone()
    depths[:6], depths[:, :6] = 0, 0
    told = 1.1 * depths + 0.05
    part = Located([np.zeros((48, 64, 3), np.uint8)], [depths], PADDED)
    part.move_targets("map")
    padded = part[0][1]
    assert padded.shape == (64, 64)
    assert padded[48:].eq(0).all()
    beyond = torch.full((64, 64), 9.0)
    beyond[:48] = told
    for crop in ("eigen", "garg"):
        wanted = of_all(told[None].double().numpy(), depths[None].double().numpy(), crop)
        got = found(beyond[None], padded[None], crop, 1)
        assert got == pytest.approx(wanted, rel=1e-6, abs=1e-6)
        row, _ = condensed(beyond[None], padded[None], LOW, HIGH, crop)
        assert row[0, 3].item() == pytest.approx(wanted["abs_rel"])


def test_nothing_to_judge_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert np.isnan(found(torch.ones(2, 48, 64), torch.zeros(2, 48, 64), "garg", 1)["abs_rel"])
    assert caplog.messages == [
        "metrics of depths are no numbers: 2 pictures judged, and none with a depth between 0.1 and"
        " 10 (`task.min` and `task.max`) in the part that `task.crop` `garg` leaves"
    ]


def test_other_sizes_are_refused() -> None:
    metric = DepthErrors(low=LOW, high=HIGH)
    with pytest.raises(DataError, match=r"\(1, 2, 2\) need depths of that shape, .* \(1, 2, 3\)"):
        metric.update(torch.ones(1, 2, 2), torch.ones(1, 2, 3))


@pytest.mark.skipif(not CAN_FORK, reason="processes are made by fork")
def test_two_processes_find_what_one_does(tmp_path: Path) -> None:
    told, true, crop = random_case(4)
    told, true = torch.tensor(told), torch.tensor(true)

    def work(rank: int) -> None:
        torch.set_num_threads(1)
        store = torch.distributed.FileStore(str(tmp_path / "store"), 2)
        torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
        own = slice(0, 1) if rank else slice(1, None)
        torch.save(found(told[own], true[own], crop, 7), tmp_path / f"{rank}.pt")
        torch.distributed.destroy_process_group()

    children = [forked(partial(work, rank)) for rank in range(2)]
    assert all([ended(child, 60) for child in children])  # noqa: C419 (both are waited for)
    alone = found(told, true, crop, len(told))
    for rank in range(2):
        assert torch.load(tmp_path / f"{rank}.pt") == pytest.approx(alone, rel=1e-6)
