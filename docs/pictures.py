"""Make the pictures of README and home: pages of `onlay inspect`, seen in headless Chromium.

    hatch run python docs/pictures.py

Trains two small adapters for a minute or two: iConFormer on crops of scikit-image's photographs
(each photograph is a class, so the whole ones are recognised easily), Adapter-X on generated
shapes. Writes `docs/pictures/*.webp`. Needs a Chromium on the PATH.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image

from onlay_pointcloud.data.shapes import seen

OUT = Path(__file__).parent / "pictures"
PHOTOGRAPHS = {"cat": "chelsea.png", "coffee": "coffee.png", "rocket": "rocket.jpg"}
CROPS, SMALLEST = 60, 0.4
KINDS = ("airplane", "chair")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), "chromium")
FLAGS = ("--headless", "--no-sandbox", "--hide-scrollbars", "--use-angle=swiftshader")
FLAGS += ("--enable-unsafe-swiftshader", "--virtual-time-budget=9000")


def onlay(folder: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "onlay", *words], cwd=folder, check=True)


def photographs(folder: Path) -> list[str]:
    """A folder of crops for each photograph, and the whole ones; gives their names."""
    random = np.random.default_rng(0)
    for name, file in PHOTOGRAPHS.items():
        image = Image.open(str(files("skimage.data").joinpath(file))).convert("RGB")
        image.save(folder / f"{name}.png")
        (folder / "crops" / name).mkdir(parents=True)
        for number in range(CROPS):
            side = int(min(image.size) * random.uniform(SMALLEST, 1))
            left, top = (int(random.uniform(0, length - side)) for length in image.size)
            crop = image.crop((left, top, left + side, top + side)).resize((96, 96))
            crop.save(folder / "crops" / name / f"{number}.png")
    return [f"{name}.png" for name in PHOTOGRAPHS]


def images(folder: Path) -> Path:
    """Two photographs side by side, with the kernels that were generated for each."""
    names = photographs(folder)
    data = ("data.name=image_folder", "data.path=crops", "train.epochs=4", "train.batch_size=16")
    run = ("backbone=onlay_vit_64", "method=iconformer", "train.lr=1e-3", "out=iconformer")
    onlay(folder, "train", *run, *data)
    onlay(folder, "inspect", "iconformer", *names[:2], "--out", "images.html")
    return folder / "images.html"


def clouds(folder: Path) -> Path:
    """A cloud, and which expert its groups went to."""
    for kind in KINDS:
        np.save(folder / f"{kind}.npy", seen(kind, np.random.default_rng(3), 2048))
    data = ("data.name=shapes", "data.train_size=400", "data.test_size=100", "data.val_size=0")
    run = ("backbone=onlay_points", "method=smoa", "train.lr=4e-3", "train.epochs=3", "out=smoa")
    onlay(folder, "train", *run, *data, "train.batch_size=16")
    onlay(folder, "inspect", "smoa", f"{KINDS[0]}.npy", "--out", "clouds.html")
    return folder / "clouds.html"


def photographed(page: Path, name: str, height: int) -> None:
    """The page as a picture, 1280 pixels wide."""
    shot = page.with_suffix(".png")
    flags = (*FLAGS, f"--screenshot={shot}", f"--window-size=1280,{height}")
    subprocess.run([CHROMIUM, *flags, page.as_uri()], check=True, capture_output=True, timeout=300)
    OUT.mkdir(exist_ok=True)
    Image.open(shot).convert("RGB").save(OUT / name, quality=82, method=6)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        photographed(images(Path(folder)), "inspect-images.webp", 820)
        photographed(clouds(Path(folder)), "inspect-cloud.webp", 620)
