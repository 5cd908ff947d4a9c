"""How good are the features? A linear probe (and full fine-tuning) on a folder of class folders.

`python plugins/image/pretraining/probe.py WEIGHTS PHOTOGRAPHS --train 1000 --seeds 0 1 2 --test`.
Without `--test` the accuracy is that on 300 held-out training images: choose recipes by that one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from networks import NETWORKS, empty
from PIL import Image
from safetensors import safe_open
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

POOLS = ("cls", "mean")


def main() -> None:
    options = parse()
    images, labels = read(options.photographs)
    scores = {"linear probe, cls": [], "linear probe, mean": [], "full fine-tuning": []}
    for seed in options.seeds:
        torch.manual_seed(seed)
        train, test = split(len(labels), options, seed)
        if seed == options.seeds[0] or options.weights == "random":
            tokens = {pool: features(build(options.weights), images, pool) for pool in POOLS}
        for pool in POOLS:
            score = linear_probe(tokens[pool], labels, train, test)
            scores[f"linear probe, {pool}"].append(score)
        if options.finetune:
            tuned = finetune(build(options.weights), images, labels, train, test, options)
            scores["full fine-tuning"].append(tuned)
    for name, found in scores.items():
        if found:
            print(f"{name}: {np.mean(found):.1%} ± {np.std(found):.1%} ({len(found)} seeds)")
    if options.json:
        options.json.write_text(json.dumps(scores, indent=1) + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", help="a safetensors file, or `random`")
    parser.add_argument("photographs", type=Path, help="a folder of class folders")
    parser.add_argument("--train", type=int, default=1000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--finetune", type=int, default=0, metavar="EPOCHS")
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--json", type=Path, help="every seed's accuracy, as a file")
    return parser.parse_args()


def read(folder: Path, *, every: int = 1) -> tuple[Tensor, np.ndarray]:
    """Every so many-th image, (N, 3, 64, 64) in [-1, 1], and labels (N,), in order of the paths."""
    classes = sorted(p for p in folder.iterdir() if p.is_dir())
    paths = [(path, i) for i, name in enumerate(classes) for path in sorted(name.iterdir())][
        ::every
    ]
    side = (NETWORKS["shipped"]["img_size"],) * 2
    pixels = [
        np.asarray(Image.open(path).convert("RGB").resize(side, Image.Resampling.BICUBIC))
        for path, _ in paths
    ]
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return images, np.array([label for _, label in paths])


def build(weights: str) -> VisionTransformer:
    """The file says which network it is of; one that does not is of the shipped one."""
    if weights == "random":
        return empty("shipped").eval()
    with safe_open(weights, "pt") as file:
        told = json.loads((file.metadata() or {}).get("pretraining", "{}"))
        net = empty(told.get("network", "shipped"))
        net.load_state_dict({name: file.get_tensor(name) for name in file.keys()}, strict=True)  # noqa: SIM118
    return net.eval()


def split(count: int, options: argparse.Namespace, seed: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(seed).permutation(count)
    train, test = order[: options.train], order[options.train :]
    return (train, test) if options.test else (train[:-300], train[-300:])


@torch.inference_mode()
def features(net: VisionTransformer, images: Tensor, pool: str) -> np.ndarray:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = net.to(device)
    tokens = torch.cat([net.forward_features(part.to(device)) for part in images.split(256)]).cpu()
    return (tokens[:, 0] if pool == "cls" else tokens[:, 1:].mean(1)).numpy()


def linear_probe(x: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    """Test accuracy of logistic regression on standardised features."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=5, max_iter=500))
    return model.fit(x[train], y[train]).score(x[test], y[test])


def finetune(
    net: VisionTransformer,
    images: Tensor,
    labels: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    options: argparse.Namespace,
) -> float:
    """Accuracy after the epochs, all weights trained, on mirrored and shifted images."""
    net.reset_classifier(int(labels.max()) + 1)
    net.train()
    y, batch = torch.from_numpy(labels), 50
    optimizer = torch.optim.AdamW(net.parameters(), lr=options.lr, weight_decay=0.05)
    steps = options.finetune * (len(train) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.lr, total_steps=steps, pct_start=0.1
    )
    for _ in range(options.finetune):
        order = torch.from_numpy(train)[torch.randperm(len(train))]
        for chosen in order[: len(order) // batch * batch].split(batch):
            loss = F.cross_entropy(net(jitter(images[chosen])), y[chosen], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    net.eval()
    with torch.inference_mode():
        guess = torch.cat([net(part).argmax(1) for part in images[test].split(256)])
    return float((guess == y[test]).float().mean())


def jitter(images: Tensor) -> Tensor:
    """Mirror every second image on average, and move all by up to four pixels."""
    flip = torch.rand(len(images), 1, 1, 1) < 0.5
    images = torch.where(flip, images.flip(3), images)
    dy, dx = torch.randint(-4, 5, (2,)).tolist()
    return F.pad(images, (4, 4, 4, 4), mode="replicate")[..., 4 + dy : 68 + dy, 4 + dx : 68 + dx]


if __name__ == "__main__":
    main()
