"""`linear`, `arc` and `full` on photographs of hands that sign digits, with the bundled backbone.

    python benchmarks/sign_digits.py            # three seeds, a table; --json for the figures
    python benchmarks/sign_digits.py --search   # how the recipes below were chosen

One seeded split: 1,000 photographs for training, 1,062 for test. A seed changes where the trained
weights start, the order and the augmentation. Recipes are chosen on 200 of the 1,000, never on the
test part. Finished trainings are kept under `--out`: an interrupted benchmark goes on.
The photographs are A. Mavi's Sign Language Digits (Apache-2.0): a folder `sign_digits/<0..9>/*.jpg`
in `INLAY_DATA`, else in `../shared/data` beside the checkout.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

import inlay
from inlay.adapted import AdaptedModel
from inlay_image.bundled import SHA256

SIDE, TRAIN, VALIDATION, BATCH = 64, 1000, 200, 25


@dataclass(frozen=True)
class Recipe:
    """What one training is told; `scratch` is `full` without the pretrained weights."""

    method: str
    lr: float
    epochs: int
    weight_decay: float = 0.01
    pool: str = "pretrained"
    drop_path: float = 0.0


CHOSEN = {
    "linear": Recipe("linear", lr=1e-2, epochs=100),
    "arc": Recipe("arc", lr=5e-3, epochs=20),
    "full": Recipe("full", lr=5e-4, epochs=20, weight_decay=0.05),
}
"""The best on the validation part of what `candidates` lists."""


def candidates() -> Iterator[Recipe]:
    for lr in (3e-3, 1e-2, 3e-2):
        yield replace(CHOSEN["linear"], lr=lr)
    for lr in (2e-3, 5e-3, 1e-2):
        yield replace(CHOSEN["arc"], lr=lr)
    for lr in (2.5e-4, 5e-4, 1e-3):
        yield replace(CHOSEN["full"], lr=lr)


@dataclass(frozen=True)
class Job:
    recipe: Recipe
    seed: int
    search: bool
    """Train on 800 and judge by the validation part."""

    def file(self, out: Path) -> Path:
        facts = json.dumps([asdict(self), SHA256, inlay.__version__], sort_keys=True)
        digest = hashlib.sha256(facts.encode()).hexdigest()[:12]
        return out / f"{self.recipe.method}-{self.seed}-{digest}.json"


def folder() -> Path:
    beside = Path(__file__).parents[2] / "shared" / "data"
    root = Path(os.environ.get("INLAY_DATA", beside)) / "sign_digits"
    if not root.is_dir():
        raise SystemExit(f"no folder {root}: set INLAY_DATA to a folder that holds `sign_digits`")
    return root


@cache
def photographs() -> tuple[Tensor, Tensor]:
    """Images (N, 3, 64, 64) in [-1, 1] and classes (N,), in the order of the sorted paths."""
    paths = sorted(folder().glob("[0-9]/*.jpg"))
    pixels = [
        np.asarray(Image.open(p).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        for p in paths
    ]
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return images, torch.tensor([int(p.parent.name) for p in paths])


def parts(search: bool) -> tuple[Tensor, Tensor]:
    """Indices to train on and to judge by."""
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(photographs()[1])))
    if search:
        return order[: TRAIN - VALIDATION], order[TRAIN - VALIDATION : TRAIN]
    return order[:TRAIN], order[TRAIN:]


def model_for(recipe: Recipe) -> AdaptedModel:
    backbone = {"name": "inlay_vit_64", "drop_path": recipe.drop_path}
    method = "full" if recipe.method == "scratch" else recipe.method
    task = {"name": "classification", "pool": recipe.pool}
    model = inlay.adapt(backbone, method, task=task, num_classes=10)
    if recipe.method == "scratch":
        model.backbone.init_weights()
    return model


def augmented(images: Tensor) -> Tensor:
    """Turned by up to 12 degrees, moved and scaled by up to a tenth, every other one mirrored."""
    n = len(images)
    angle, scale = 0.2 * (2 * torch.rand(n) - 1), 1 + 0.1 * (2 * torch.rand(n) - 1)
    mirror = 1 - 2.0 * (torch.rand(n) < 0.5)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    move = 0.2 * (2 * torch.rand(2, n) - 1)
    theta = torch.stack([cos * mirror, -sin, move[0], sin * mirror, cos, move[1]], 1)
    grid = F.affine_grid(theta.view(n, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def train(model: AdaptedModel, recipe: Recipe, chosen: Tensor) -> None:
    """AdamW, a tenth of warm-up, then a cosine to zero; gradients clipped at norm 1."""
    images, classes = photographs()
    parameters = list(model.trained_parameters().values())
    optimizer = torch.optim.AdamW(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay)
    steps = recipe.epochs * (len(chosen) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.lr, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    model.train()
    for _ in range(recipe.epochs):
        for batch in chosen[torch.randperm(len(chosen))].split(BATCH):
            optimizer.zero_grad()
            model.loss((augmented(images[batch]), classes[batch])).backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()


@torch.inference_mode()
def accuracy(model: AdaptedModel, chosen: Tensor) -> float:
    """In percent."""
    images, classes = photographs()
    model.eval()
    guess = torch.cat([model(part).argmax(1) for part in images[chosen].split(256)])
    return 100 * (guess == classes[chosen]).float().mean().item()


def work(job: Job, out: Path) -> dict[str, Any]:
    """Train and judge, or read what an earlier run found."""
    file = job.file(out)
    if file.exists():
        return json.loads(file.read_text())
    torch.set_num_threads(1)
    torch.manual_seed(job.seed)
    model, (chosen, judged) = model_for(job.recipe), parts(job.search)
    start = time.process_time()
    train(model, job.recipe, chosen)
    seconds = time.process_time() - start
    report = model.trainable_report()
    found = {
        **asdict(job.recipe),
        "seed": job.seed,
        "accuracy": accuracy(model, judged),
        "parameters": report.trainable,
        "share": report.share,
        "cpu_s": seconds,
    }
    out.mkdir(parents=True, exist_ok=True)
    file.with_suffix(".part").write_text(json.dumps(found))
    file.with_suffix(".part").rename(file)
    return found


def everything(jobs: list[Job], out: Path, processes: int) -> list[dict[str, Any]]:
    """Results in the order of `jobs`; one line each as it comes, for the patient."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(work, job, out) for job in jobs]
        for future in as_completed(futures):
            found = future.result()
            told = {k: found[k] for k in ("method", "seed", "lr", "epochs", "pool")}
            print(f"{found['accuracy']:6.2f} %  {found['cpu_s']:6.0f} s  {told}", flush=True)
    return [future.result() for future in futures]


def table(found: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    rows = {}
    for method in dict.fromkeys(f["method"] for f in found):
        mine = [f for f in found if f["method"] == method]
        scores = [f["accuracy"] for f in mine]
        rows[method] = {
            "mean": mean(scores),
            "sd": stdev(scores) if len(scores) > 1 else 0.0,
            "parameters": mine[0]["parameters"],
            "share": mine[0]["share"],
            "cpu_s": mean(f["cpu_s"] for f in mine),
        }
    return rows


def show(rows: dict[str, dict[str, float]]) -> None:
    print(f"\n{'method':<10}{'accuracy %':>16}{'trained':>12}{'share %':>9}{'CPU s':>8}")
    for method, row in rows.items():
        print(
            f"{method:<10}{row['mean']:>9.2f} ± {row['sd']:<4.2f}{row['parameters']:>12,}"
            f"{row['share']:>9.2f}{row['cpu_s']:>8.0f}"
        )
    if {"linear", "arc", "full"} <= rows.keys():
        points = {m: rows["arc"]["mean"] - rows[m]["mean"] for m in ("full", "linear")}
        print(f"\narc - full   {points['full']:+.2f} points (at least -1)")
        print(f"arc - linear {points['linear']:+.2f} points (at least +5)")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--search", action="store_true", help="judge candidates on validation")
    parser.add_argument("--methods", nargs="+", default=["full", "arc", "linear"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/sign_digits"))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    if arguments.search:
        recipes = [r for r in candidates() if r.method in arguments.methods]
        everything([Job(r, 0, True) for r in recipes], arguments.out, arguments.processes)
        return
    jobs = [Job(CHOSEN[m], s, False) for m in arguments.methods for s in arguments.seeds]
    rows = table(everything(jobs, arguments.out, arguments.processes))
    print(json.dumps(rows, indent=2)) if arguments.json else show(rows)


if __name__ == "__main__":
    main()
