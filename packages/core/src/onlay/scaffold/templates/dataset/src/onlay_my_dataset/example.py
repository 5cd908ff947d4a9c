"""A small data set of this layout, for `onlay plugins check`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = ("blue", "green", "red")


def example(folder: Path) -> Mapping[str, Any]:
    """Six noisy images of each colour; gives the settings that read them."""
    random = np.random.default_rng(0)
    lines = ["file,label"]
    for number in range(18):
        label = CLASSES[number % 3]
        pixels = random.integers(0, 128, (12, 10, 3), dtype=np.uint8)
        pixels[..., 2 - number % 3] += 127
        np.save(folder / f"{number:02d}.npy", pixels)
        lines.append(f"{number:02d}.npy,{label}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"path": str(folder), "test_size": 3, "val_size": 3}
