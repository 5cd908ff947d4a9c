"""How good are the features? A linear probe on real radar clouds of people.

`python plugins/pointcloud/pretraining/probe.py WEIGHTS radhar.npz --test`, with `random` for
`WEIGHTS` to compare. Without `--test` the accuracy is that on the last fifth of each class's
training clouds: choose recipes by that one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from sensor import normalise
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from onlay_pointcloud.bundled import ARCHITECTURE
from onlay_pointcloud.network.point_mae import PointMae


def main() -> None:
    options = parse()
    clouds, labels, train, judged = read(options.clouds, test=options.test)
    scores: dict[str, list[float]] = {}
    for seed in options.seeds if options.weights == "random" else options.seeds[:1]:
        torch.manual_seed(seed)
        for pool, x in features(build(options.weights), clouds).items():
            score = linear_probe(x, labels, train, judged, options.c)
            scores.setdefault(pool, []).append(score)
    for pool, found in scores.items():
        print(f"linear probe, {pool}: {np.mean(found):.1%} ± {np.std(found):.1%} ({len(found)})")
    if options.json:
        options.json.write_text(json.dumps(scores, indent=1) + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", help="a safetensors file, or `random`")
    parser.add_argument("clouds", type=Path, help="a file with x_Train, y_Train, x_Test, y_Test")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of random weights")
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--c", type=float, default=0.1, help="inverse strength of the penalty")
    parser.add_argument("--json", type=Path, help="every accuracy, as a file")
    return parser.parse_args()


def read(path: Path, *, test: bool) -> tuple[Tensor, np.ndarray, np.ndarray, np.ndarray]:
    """Clouds (M, P, 3) in the unit sphere, labels (M,), and the indices to learn from and to judge.

    Without `test` the test part is not even read.
    """
    with np.load(path, allow_pickle=False) as file:
        parts = ("Train", "Test") if test else ("Train",)
        clouds = np.concatenate([file[f"x_{part}"] for part in parts])
        labels = np.concatenate([file[f"y_{part}"] for part in parts])
        known = len(file["y_Train"])
    clouds = normalise(torch.from_numpy(clouds).float())
    if test:
        return clouds, labels, np.arange(known), np.arange(known, len(labels))
    return clouds, labels, *held_out(labels)


def held_out(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first four fifths and the last fifth of each class: neighbours in time stay together."""
    places = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    cuts = [len(place) * 4 // 5 for place in places]
    first = [place[:cut] for place, cut in zip(places, cuts, strict=True)]
    last = [place[cut:] for place, cut in zip(places, cuts, strict=True)]
    return np.concatenate(first), np.concatenate(last)


def build(weights: str) -> PointMae:
    net = PointMae(**ARCHITECTURE)
    if weights != "random":
        net.load_state_dict(load_file(weights), strict=True)
    return net.eval()


@torch.inference_mode()
def features(net: PointMae, clouds: Tensor) -> dict[str, np.ndarray]:
    """Pooled tokens (M, D), or (M, 2 D) for the mean beside the maximum."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = net.to(device)
    tokens = torch.cat([net(part.to(device)) for part in clouds.split(128)]).cpu()
    mean, largest = tokens[:, 1:].mean(1), tokens[:, 1:].amax(1)
    pools = {"cls": tokens[:, 0], "mean": mean, "max": largest}
    pools["mean+max"] = torch.cat([mean, largest], 1)
    return {name: pooled.numpy() for name, pooled in pools.items()}


def linear_probe(
    x: np.ndarray, y: np.ndarray, train: np.ndarray, judged: np.ndarray, c: float
) -> float:
    """Accuracy of logistic regression on standardised features."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))
    return model.fit(x[train], y[train]).score(x[judged], y[judged])


if __name__ == "__main__":
    main()
