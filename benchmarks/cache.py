"""What a step costs once the frozen part is kept: ViT-B/16 at 224, batch 8, in CPU time.

    python benchmarks/cache.py            # at most 4 minutes; --rounds 5 for more
    python benchmarks/cache.py --depth 4  # of four blocks, with adapters in the last one

Full fine-tuning, adapters in the last quarter of the blocks and a linear probe take turns, step by
step; what is kept is read from disk for each step, as in training. A ratio is the median over
rounds of that to the full step of the same round. Aims: at most 0.25 for adapters in the last 3 of
12 blocks, 0.02 for the probe. Weights are random: the time of a step does not depend on them.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import timm
import torch
from torch import Tensor, nn

import onlay
from onlay.model.adapted import AdaptedModel
from onlay.model.prefix import Prefix
from onlay_train.cache.items import KeptItems, Targets, kept_batch
from onlay_train.cache.store import Column, Store

BATCH, CLASSES = 8, 100
AIMS = {"linear": 0.02}
LATE = ("arc", "lora")


def adapted(vit: nn.Module, method: str, last: int | None) -> AdaptedModel:
    settings = {"name": method} if last is None else {"name": method, "last_blocks": last}
    return onlay.adapt(copy.deepcopy(vit), settings, num_classes=CLASSES, verify=False)


def stepping(model: AdaptedModel, batch: Callable[[], tuple]) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(model.trained_parameters().values(), 1e-4)
    model.train()

    def step() -> None:
        model(*batch()).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def kept(model: AdaptedModel, images: Tensor, targets: Tensor, folder: Path) -> KeptItems:
    """The batch on disk, as a run keeps it."""
    model.prefix = prefix = Prefix.of(model)
    with torch.no_grad():
        found = prefix.capture(model, images)
        if prefix.whole is not None:
            prefix.whole.choose(
                prefix.features(model, found, ()), lambda features: [model.answer(features)]
            )
            found = {name: found[name] for name in prefix.whole.names or ()}
    rows = {**found, "target.0": targets}
    store = Store(folder / model.method.name, [Column.of(n, t[0]) for n, t in rows.items()], BATCH)
    store.write([(0, rows)], "benchmark")
    return KeptItems(store, Targets(0), range(BATCH))  # type: ignore[arg-type]


def modes(depth: int, folder: Path) -> dict[str, Callable[[], None]]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, 3, 224, 224, generator=generator)
    targets = torch.arange(BATCH)
    vit = timm.create_model("vit_base_patch16_224", pretrained=False, depth=depth)
    found = {"full": stepping(adapted(vit, "full", None), lambda: (images, targets))}
    for name in (*LATE, "linear"):
        model = adapted(vit, name, None if name == "linear" else max(1, depth // 4))
        items = kept(model, images, targets, folder)
        found[name] = stepping(model, lambda own=items: kept_batch([own[i] for i in range(BATCH)]))
    return found


def seconds(step: Callable[[], None]) -> float:
    began = time.process_time()
    step()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--depth", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        steps = modes(arguments.depth, Path(folder))
        for step in steps.values():
            step()
        rounds = [{n: seconds(step) for n, step in steps.items()} for _ in range(arguments.rounds)]
    print(f"ViT-B/16 of {arguments.depth} blocks, batch {BATCH}, {torch.get_num_threads()} threads")
    for name in steps:
        ratio = median(each[name] / each["full"] for each in rounds)
        own, aim = median(each[name] for each in rounds), AIMS.get(name, 0.25)
        told = "" if name == "full" else f"  {ratio:.3f} of it (aim: at most {aim})"
        print(f"{name:12} {own:8.3f} s CPU{told}")


if __name__ == "__main__":
    main()
