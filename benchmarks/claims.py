"""The papers' claims, judged where pretraining pays.

    python benchmarks/claims.py --dry-run        # cells and CPU hours, in all and left; no training
    python benchmarks/claims.py                  # all regimes, days on two cores; it goes on
    python benchmarks/claims.py new_characters --only method=linear

Each regime is a grid, `grids/claims/NAME.yaml`, with controls and an equal search; so are the
ablations of two methods, `grids/ablations/NAME.yaml`. What follows the names goes to `onlay
compare`. A regime counts where its report says that the linear probe is above the network from
scratch. What grids read is written below `runs/data`: unpacked data, and the small backbones that
regimes (b) and (c) pretrain themselves, `--minutes` of CPU time each, an hour at most. Shapes
are generated; other data are read from `ONLAY_DATA`, else from `../shared/data` beside the
checkout.

What was trained before lies in `results/`: the records of cells and trials without their weights,
and the backbones that they stand on. They are unpacked first and count as done, and what a run
adds is packed there again. Without that folder, and without `runs`, everything is trained anew.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from methods import radhar, source

from onlay.errors import ConfigError

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "claims"))

if TYPE_CHECKING:
    from onlay.config.run import RunConfig
    from onlay_train.grid.plan import Plan

ROOT = HERE.parent
MADE, RUNS, KEPT = ROOT / "runs" / "data", ROOT / "runs" / "claims", HERE / "results"
AIM = 60
"""CPU hours that all regimes together may take."""
MINUTES = 20.0


@dataclass(frozen=True)
class Regime:
    """A grid, what writes its data, and how much there is of them."""

    title: str
    write: Callable[[Path], Any]
    """Into the folder of what is made."""
    classes: int
    judged: int
    """Items that are looked at after every epoch."""
    test: int
    backbone: str = ""
    """A file below the folder of what is made, which `pretrain` writes."""
    pretrain: Callable[[Path, float], Any] | None = None
    """Into the file's folder, for so many minutes."""


def _signs(made: Path) -> None:
    shutil.copytree(source("sign_digits"), made / "sign_digits", dirs_exist_ok=True)


def _characters(made: Path) -> None:
    import omniglot

    omniglot.unpack(made / "omniglot")


def _of_characters(out: Path, minutes: float) -> None:
    import omniglot

    omniglot.pretrained(out, minutes)


def _shapes(made: Path) -> None:
    import shapes

    shapes.unpack(made / "shapes")


def _of_shapes(out: Path, minutes: float) -> None:
    import shapes

    shapes.pretrained(out, minutes)


def _nuclei(made: Path) -> None:
    import nuclei

    nuclei.unpack(made / "nuclei")


def _of_nuclei(out: Path, minutes: float) -> None:
    import nuclei

    nuclei.pretrained(out, minutes)


CHARACTERS = ("omniglot/omniglot.safetensors", _of_characters)
REGIMES = {
    "signs": Regime("(a) labels a class, photographs", _signs, 10, 200, 600),
    "activities": Regime("(a) labels a class, radar clouds", radhar, 5, 497, 1042),
    "characters": Regime("(a) labels a class, characters", _characters, 156, 468, 1092),
    "new_characters": Regime(
        "(b) new classes of a known domain", _characters, 156, 468, 1092, *CHARACTERS
    ),
    "new_shapes": Regime(
        "(b) new kinds of generated shapes, clouds",
        _shapes,
        25,
        125,
        500,
        "shapes/shapes.safetensors",
        _of_shapes,
    ),
    "nuclei": Regime(
        "(c) a domain's own unlabelled pictures",
        _nuclei,
        1,
        30,
        60,
        "nuclei/nuclei.safetensors",
        _of_nuclei,
    ),
    "adapterx": Regime("Adapter-X, one change at a time", _characters, 156, 468, 1092, *CHARACTERS),
    "adapterx_rates": Regime(
        "Adapter-X, the same at two settings", _characters, 156, 468, 1092, *CHARACTERS
    ),
    "dapt_gates": Regime("DAPT's gates", radhar, 5, 497, 1042),
    "arc_precision": Regime("ARC at a high rate, in bfloat16", _signs, 10, 200, 600),
}

FORWARD = {
    "onlay_vit_64": 6e-3,
    "onlay_points": 5e-3,
    "timm": 1.5e-3,
    "small_cnn": 1e-3,
    "small_pointnet": 3e-3,
}
"""CPU seconds of a forward pass of one item at a quiet core, roughly; `timm` is the small network
for 28 pixels."""
WHOLE = 6
"""How often that of a picture of 128 pixels."""
TIMES = {"linear": 1.1, "full": 3.0, "smoa": 2.8, "iconformer": 2.6}
"""A training step in forward passes; 2.2 for other adapters."""
ENDED = ("done", "failed")
"""States of cells that are not trained once more."""
START = 2.0
"""Seconds before the first step, in a process that has its imports behind it."""


def text(name: str) -> str:
    """A regime's grid with its folders, which are relative: a cell is the same one anywhere."""
    (file,) = (HERE / "grids").glob(f"*/{name}.yaml")
    plain = file.read_text(encoding="utf-8")
    return plain.replace("{made}", MADE.relative_to(ROOT).as_posix())


Only = Mapping[str, Sequence[str]]
"""Axis -> the labels or patterns that are asked for; without any, all."""


def plan_of(name: str, only: Only) -> Plan:
    """Cells and trials, without a look at data and weights; those that are kept count."""
    from ruamel.yaml import YAML

    from onlay.host import PluginHost
    from onlay_train.grid.facts import read_facts
    from onlay_train.grid.file import parsed
    from onlay_train.grid.plan import make_plan

    host = PluginHost.discover()
    grid = parsed(YAML(typ="safe", pure=True).load(text(name)), host)
    root = RUNS / name
    return make_plan(grid, host, root, read_facts(root / "facts.json"), only=only)


def seconds(config: RunConfig, regime: Regime, *, test: bool = True) -> float:
    """CPU time of one training, by what it sees."""
    data: Any = config.data
    items = (data.train_per_class or int(data.path.name)) * regime.classes
    forward = FORWARD[config.backbone.name] * (WHOLE if config.task.name == "segmentation" else 1)
    step = forward * TIMES.get(config.method.name, 2.2)
    seen = items * data.train_repeats * config.train.epochs
    judged = regime.judged * config.train.epochs + test * (items + regime.test)
    return START + seen * step + judged * forward


@dataclass
class Cost:
    """Of a regime, or of all."""

    cells: int = 0
    trials: int = 0
    hours: float = 0.0
    """CPU hours of all cells and trials, and of the pretraining."""
    left: float = 0.0
    """Of those that are not trained yet."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.cells + other.cells,
            self.trials + other.trials,
            self.hours + other.hours,
            self.left + other.left,
        )

    def __str__(self) -> str:
        return (
            f"{self.cells} cells, {self.trials} trials, about {self.hours:.1f} CPU hours, of which"
            f" {self.left:.1f} are left"
        )


def cost(name: str, only: Only = MappingProxyType({})) -> Cost:
    """Of all that a grid trains, or of what `only` leaves of it."""
    from onlay.config import resolve
    from onlay_train.grid.axes import labels

    plan, regime = plan_of(name, only), REGIMES[name]
    trials, cells = plan.trials(), plan.cells()
    done = [cell.labels for cell in cells if plan.folder(cell).state in ENDED]
    spent = [
        (
            seconds(resolve(dict(trial.config), (), plan.host), regime, test=False),
            plan.folder(trial).state in ENDED,
        )
        for trial in trials
    ]
    spent += [(seconds(config, regime), labels(p) in done) for p, config in plan.drawn.runs]
    return Cost(
        cells=len(plan.drawn.runs),
        trials=len(trials),
        hours=sum(each for each, _ in spent) / 3600,
        left=sum(each for each, ended in spent if not ended) / 3600,
    )


def told(names: Sequence[str], minutes: float, only: Only = MappingProxyType({})) -> Iterator[str]:
    """A line for each regime, and what all of them take."""
    total, pretrained = Cost(), set[str]()
    for name in names:
        unpack(name)
        own, backbone = cost(name, only), REGIMES[name].backbone
        anew = bool(backbone) and not (KEPT / backbone).exists() and backbone not in pretrained
        pretrained.add(backbone)
        more = minutes / 60 if anew else 0.0
        own += Cost(hours=more, left=more)
        total += own
        with_ = f", {minutes:g} minutes of pretraining among them" if more else ""
        yield f"{name}: {REGIMES[name].title}: {own}{with_}"
    within = "within" if total.hours <= AIM else "MORE THAN"
    yield f"all: {total}; {within} the {AIM} that are meant for them"


def compare(name: str, minutes: float, words: Sequence[str]) -> int:
    """Write the data, pretrain, and hand the grid to `onlay compare`; gives the exit status."""
    regime = REGIMES[name]
    regime.write(MADE)
    unpack(name)
    if regime.pretrain is not None and not (KEPT / regime.backbone).exists():
        regime.pretrain((MADE / regime.backbone).parent, minutes)
    RUNS.mkdir(parents=True, exist_ok=True)
    (file := RUNS / f"{name}.yaml").write_text(text(name), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "onlay",
        "compare",
        str(file),
        "--out",
        str(RUNS.relative_to(ROOT) / name),
    ]
    print(f"\n## {name}: {REGIMES[name].title}\n", flush=True)
    status = subprocess.run([*command, *words], check=False, cwd=ROOT).returncode
    if (RUNS / name / "cells").exists():
        pack(name)
    return status


def unpack(name: str) -> None:
    """What earlier runs left: the backbone, on which all records stand, and those records that are
    not there."""
    kept, own = KEPT / REGIMES[name].backbone, MADE / REGIMES[name].backbone
    if kept.is_file():
        own.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(kept, own)
    if (packed := KEPT / f"{name}.tar.xz").exists():
        with tarfile.open(packed) as records:
            fresh = [member for member in records if not (RUNS / member.name).exists()]
            records.extractall(RUNS, fresh, filter="data")


def pack(name: str) -> None:
    """Keep the records of what is done, and the backbone; equal records are equal bytes."""
    if (backbone := REGIMES[name].backbone) and not (KEPT / backbone).exists():
        (KEPT / backbone).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(MADE / backbone, KEPT / backbone)
    KEPT.mkdir(parents=True, exist_ok=True)
    part = KEPT / f"{name}.part"
    with tarfile.open(part, "w:xz") as records:
        for file in [RUNS / name / "facts.json", *_records(RUNS / name / "cells")]:
            records.add(file, file.relative_to(RUNS).as_posix(), filter=_plain)
    os.replace(part, KEPT / f"{name}.tar.xz")


def _records(cells: Path) -> Iterator[Path]:
    """What a report reads of the cells that ended."""
    for folder in sorted(cells.iterdir()):
        ends = [folder / "summary.json", folder / "error.json"]
        if any(map(Path.exists, ends)):
            more = [folder / "cell.json", folder / "metrics.jsonl"]
            yield from filter(Path.exists, [*more, *ends])


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("regimes", nargs="*", help=f"default: all ({', '.join(REGIMES)})")
    parser.add_argument("--dry-run", action="store_true", help="cells and CPU hours, no training")
    parser.add_argument(
        "--only", action="append", default=[], metavar="AXIS=VALUE", help="this part alone"
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of pretraining, at most 60")
    arguments, words = parser.parse_known_args()
    names = arguments.regimes or list(REGIMES)
    if unknown := [name for name in names if name not in REGIMES]:
        parser.error(f"no regime `{unknown[0]}` (have: {', '.join(REGIMES)})")
    minutes = min(arguments.minutes, 60.0)
    only: dict[str, list[str]] = {}
    for pair in arguments.only:
        axis, _, value = pair.partition("=")
        only.setdefault(axis, []).append(value)
        words += ["--only", pair]
    if arguments.dry_run:
        try:
            print("\n".join(told(names, minutes, only)))
        except ConfigError as error:
            parser.error(str(error))
        return
    raise SystemExit(max(compare(name, minutes, words) for name in names))


if __name__ == "__main__":
    main()
