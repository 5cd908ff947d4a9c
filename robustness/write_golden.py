"""Writes what this version leaves on disk, small, so that later versions are shown to read it.

    hatch run golden    # writes robustness/golden/0.2, once before a minor version is released

`data/` holds pictures, clouds and tables. Each case is one training on them, by `WORDS`: its
`bundle/`, and `expected.json` with what the bundle answers for the test part and what the run
measured. Where a case is to be resumed, `run/` is the same training as a SIGTERM left it after its
third step, and going on must end at `bundle/`. Files of a version that was released are never
written again; what reads them is mended instead.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import torch
from click.testing import CliRunner
from golden_data import make_data
from rich.console import Console

import onlay
from onlay.bundle.writing import TENSORS
from onlay.cli import main as command
from onlay.config import resolve
from onlay.host import PluginHost
from onlay.model.saving import save
from onlay_train.run import train
from onlay_train.signals import Stopped

HERE = Path(__file__).parent / "golden"
STEPS = 3
"""Of four; the second epoch has just begun."""
ALL = (
    "train.epochs=2",
    "train.batch_size=3",
    "train.lr=0.01",
    "train.trackers=[]",
    "train.log_every=1",
)
PICTURES = ("backbone=onlay_vit_64",)
CLOUDS = (
    "backbone.name=onlay_points",
    "backbone.npoints=32",
    "backbone.groups=8",
    "backbone.group_size=8",
)
WORDS = {
    "picture_classes": (
        *PICTURES,
        "method.name=arc",
        "method.rank=1",
        "method.last_blocks=2",
        "data.name=image_folder",
        "data.path=data/pictures",
    ),
    "picture_labels": (
        *PICTURES,
        "method.name=iconformer",
        "method.rank=1",
        "task=multilabel",
        "data.name=image_csv",
        "data.path=data/labels_of_pictures.csv",
    ),
    "picture_numbers": (
        *PICTURES,
        "method.name=peft",
        "method.options={r: 1}",
        "method.sites=[blocks.5.qkv.out]",
        "task=regression",
        "data.name=image_csv",
        "data.path=data/numbers_of_pictures.csv",
        "data.target_columns=[size, age]",
    ),
    "cloud_classes": (
        *CLOUDS,
        "method=linear",
        "data.name=cloud_folder",
        "data.path=data/clouds",
    ),
    "cloud_labels": (
        *CLOUDS,
        "method.name=dapt",
        "method.rank=1",
        "method.scale_and_shift=false",
        "task=multilabel",
        "data.name=cloud_csv",
        "data.path=data/labels_of_clouds.csv",
    ),
    "cloud_numbers": (
        *CLOUDS,
        "method.name=smoa",
        "method.experts=2",
        "method.rank=1",
        "method.heads=6",
        "task=regression",
        "data.name=cloud_csv",
        "data.path=data/numbers_of_clouds.csv",
        "data.target_columns=[size, age]",
    ),
    "cloud_parts": (
        *CLOUDS,
        "method=linear",
        "task=part_segmentation",
        "data.name=shapenet_part",
        "data.path=data/parts",
    ),
}
ASKED = {
    **{name: f"data/{name.partition('_')[0]}s/test" for name in WORDS},
    "cloud_parts": "data/parts/03642806/4.txt",
}
"""What `onlay predict` is asked about."""
RESUMED = ("picture_classes", "cloud_classes")
LARGE = ("cloud_parts",)
"""Point-MAE's decoder alone has millions of numbers."""


class Stop:
    """A plugin that sends SIGTERM after a step, as a cluster does at its time limit."""

    @onlay.hookimpl
    def step_finished(self, step: int) -> None:
        if step == STEPS:
            os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """All cases of this version."""
    release = ".".join(onlay.__version__.split(".")[:2])
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        make_data(Path("data"))
        for name, words in WORDS.items():
            one(name, (*words, *ALL))
            files = [path for path in Path(name).rglob("*") if path.is_file()]
            print(f"{name}: {sum(path.stat().st_size for path in files):,} bytes", flush=True)
        shutil.rmtree(HERE / release, ignore_errors=True)
        shutil.copytree(".", HERE / release, ignore=shutil.ignore_patterns("out"))


def one(name: str, words: tuple[str, ...]) -> None:
    """The files of one case, in the folder of its name."""
    host, bundle = PluginHost.discover(), Path(name) / "bundle"
    config = resolve({}, [*words, "out=out/whole"], host=host)
    summary = train(config, host, console=Console(quiet=True))
    shutil.move("out/whole/bundle", bundle)
    if name in RESUMED:
        interrupted(name, words)
    if name in LARGE:
        patterned(bundle)
    asked = ASKED[name]
    expected = {"asked": asked, "answers": answers(bundle, asked), "metrics": summary.metrics}
    (Path(name) / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    if name in LARGE:
        packed(bundle / TENSORS)
    shutil.rmtree("out")


def interrupted(name: str, words: tuple[str, ...]) -> None:
    """The same run in `run`, stopped."""
    host = PluginHost.discover()
    host.add(Stop(), name="stop")
    try:
        train(resolve({}, [*words, "out=run"], host=host), host, console=Console(quiet=True))
    except Stopped:
        Path("run/before-last.pt").unlink()
        packed(Path("run/last.pt"))
        shutil.move("run", Path(name) / "run")
        return
    raise SystemExit(f"the run of `{name}` was not stopped")


def patterned(bundle: Path) -> None:
    """Every trained tensor becomes 101 numbers over and over, which take no room once packed."""
    model = onlay.load(bundle)
    numbers = torch.randn(101, generator=torch.Generator().manual_seed(0)).abs() / 20
    signs = torch.tensor([1, -1]).repeat(51)[:101]
    for name, tensor in model.trained_state().items():
        repeated = (numbers if "var" in name else numbers * signs).repeat(-(-tensor.numel() // 101))
        tensor.copy_(repeated[: tensor.numel()].view(tensor.shape))
    save(model, bundle, record={})


def packed(path: Path) -> None:
    """A file of the same name and `.xz` in the place of this one."""
    path.with_name(f"{path.name}.xz").write_bytes(lzma.compress(path.read_bytes()))
    path.unlink()


def answers(bundle: Path, asked: str) -> Any:
    """What `onlay predict --json` says."""
    told = CliRunner().invoke(command, ["predict", str(bundle), asked, "--json"])
    assert told.exit_code == 0, told.output
    return json.loads(told.stdout)


if __name__ == "__main__":
    main()
