"""The whole pretraining of both bundled backbones in one command and at most so many minutes.

`python pretraining/everything.py --minutes 12 --out runs/pretrain-all`: images, then clouds, the
images' probe beside the clouds' training, and OUT/summary.json with weights, sha256 and figures.
The pools, compiling and the probes count. Killed, the same command goes on with what is not done.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Stage:
    """One backbone."""

    name: str
    scripts: Path
    weights: str
    data: str
    """What its probe reads, inside the folder of data."""
    probe: tuple[str, ...]
    share: float
    """Of the minutes that are left when it begins."""


STAGES = (
    Stage(
        "images",
        ROOT / "plugins/image/pretraining",
        "vit_onlay_64.safetensors",
        "sign_digits",
        ("--test", "--seeds", "0", "1", "2"),
        0.6,
    ),
    Stage(
        "clouds",
        ROOT / "plugins/pointcloud/pretraining",
        "onlay_points.safetensors",
        "radhar/radhar.npz",
        ("--test",),
        1.0,
    ),
)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    ends = time.monotonic() + 60 * options.minutes * 0.98  # the rest is for beginning and ending
    reserve, probes = 60 * options.minutes * options.reserve, {}
    for stage in STAGES:
        seconds = (ends - time.monotonic() - reserve) * stage.share
        if not finished(options.out / stage.name):
            train(stage, options, seconds)
        probes[stage.name] = probe(stage, options)
    for stage in STAGES:
        waited(probes[stage.name], ends - time.monotonic())
    summary = {stage.name: told(stage, options.out / stage.name) for stage in STAGES}
    text = json.dumps(summary, indent=1) + "\n"
    (options.out / "summary.json").write_text(text)
    print(text, flush=True)
    return 0 if all(summary.values()) else 1


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=12, help="all together")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data", help="for probes")
    parser.add_argument("--reserve", type=float, default=0.12, help="share for the last probe")
    parser.add_argument(
        "--images", default="--objective described --network conv8", help="its options"
    )
    parser.add_argument("--clouds", default="--objective mae", help="its options")
    return parser.parse_args(arguments)


def finished(folder: Path) -> bool:
    return (folder / "done").exists()


def train(stage: Stage, options: argparse.Namespace, seconds: float) -> None:
    """As a process of its own, all that it says also in `log.txt`."""
    folder = options.out / stage.name
    folder.mkdir(exist_ok=True)
    own = getattr(options, stage.name).split()
    minutes = ["--minutes", f"{seconds / 60:.3f}", "--from-the-start", "--save-every", "1"]
    command = [sys.executable, str(stage.scripts / "pretrain.py"), "--out", str(folder), *minutes]
    with (folder / "log.txt").open("a") as log:
        said = f"$ {' '.join([*command, *own])}\n"
        log.write(said)
        print(said, end="", flush=True)
        log.flush()
        ended = subprocess.run([*command, *own], stdout=log, stderr=subprocess.STDOUT, check=False)
    if ended.returncode:
        sys.exit(f"{stage.name}: ended with {ended.returncode}, not finished; {folder / 'log.txt'}")
    (folder / "done").touch()


def probe(stage: Stage, options: argparse.Namespace) -> subprocess.Popen | None:
    """Begun beside what comes next; none where the data are missing or it was done before."""
    folder, data = options.out / stage.name, options.data / stage.data
    if not data.exists() or (folder / "probe.json").exists():
        return None
    command = [sys.executable, str(stage.scripts / "probe.py"), str(folder / stage.weights)]
    command += [str(data), *stage.probe, "--json", str(folder / "probe.json")]
    with (folder / "log.txt").open("a") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


def waited(process: subprocess.Popen | None, seconds: float) -> None:
    """A probe that has not ended by then is left out; the weights are there."""
    if process is None:
        return
    try:
        process.wait(max(seconds, 0.1))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def told(stage: Stage, folder: Path) -> dict[str, Any]:
    """What one folder holds."""
    content = (folder / stage.weights).read_bytes()
    length = int.from_bytes(content[:8], "little")
    figures = folder / "probe.json"
    return {
        "weights": str(folder / stage.weights),
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        **json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["pretraining"]),
        "probe": json.loads(figures.read_text()) if figures.exists() else "not judged",
        "log": str(folder / "log.txt"),
    }


if __name__ == "__main__":
    sys.exit(main())
