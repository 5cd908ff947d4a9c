"""One grid here, as jobs of submitit and on a Ray of its own: the tables are the same."""

from __future__ import annotations

import csv
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

GRID = """
grid: {method: [linear, noisy]}
base:
  backbone: tiny
  data: stripes
  train: {epochs: 1, batch_size: 4, trackers: [], log_every: 1}
where: WHERE
"""
PLACES = {
    "local": "{name: local, jobs: 2, threads: 1}",
    "slurm": "{name: slurm, cluster: local, jobs: 2, threads: 1}",
    "ray": "{name: ray, jobs: 1, threads: 1}",
}
NEEDS = {"slurm": "submitit", "ray": "ray"}
LANE = "`hatch run executors:run` has it"

pytestmark = pytest.mark.skipif(not find_spec("onlay_train"), reason="onlay-train brings compare")


@pytest.fixture(scope="module")
def compared(onlay, tiny_run, tmp_path_factory):
    """Train the grid at a place; gives what it said and its folder."""
    folder = tmp_path_factory.mktemp("compared")

    def at(place: str):
        file, out = folder / f"{place}.yaml", folder / place
        if not out.exists():
            file.write_text(GRID.replace("WHERE", PLACES[place]))
            words = (*tiny_run[:2], "compare", str(file), "--out", str(out))
            found = onlay(*words)
            assert found.exit_code == 0, found.output + told(out)
        return out

    return at


def told(out: Path) -> str:
    return "".join(path.read_text() for path in out.glob("cells/*/output.txt"))


@pytest.mark.parametrize("place", ["slurm", "ray"])
def test_the_tables_are_those_of_one_machine_but_for_times(compared, place: str) -> None:
    if not find_spec(NEEDS[place]):
        pytest.skip(f"`{NEEDS[place]}` is not installed: {LANE}")
    here, there = table(compared("local")), table(compared(place))
    assert [row["method"] for row in there] == ["linear", "noisy"]
    assert there == here


def table(out: Path) -> list[dict[str, str]]:
    from onlay_train.grid.report.files import TIMES

    machine = {*TIMES, "bundle_bytes"}  # a bundle also holds what made it
    with (out / "report" / "table.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k not in machine} for row in csv.DictReader(file)]


@pytest.mark.skipif(not find_spec("ray"), reason=f"{LANE} and no other")
@pytest.mark.parametrize("place", PLACES)
def test_each_keeps_the_contract_of_an_executor(place: str) -> None:
    from onlay.testing import run_checks

    found = list(run_checks("executor", place))
    assert [(o.check.name, o.reason) for o in found if o.verdict != "kept"] == []
    assert len(found) > 10


@pytest.mark.skipif(not find_spec("ray"), reason=f"`ray` is not installed: {LANE}")
def test_where_no_ray_answers_it_is_one_sentence(onlay, tiny_run, tmp_path: Path) -> None:
    file = tmp_path / "grid.yaml"
    file.write_text(GRID.replace("WHERE", "{name: ray, address: auto}"))
    words = (*tiny_run[:2], "compare", str(file), "--out", str(tmp_path / "out"))
    found = onlay(*words)
    assert found.exit_code == 2, found.output
    assert "no Ray answers at `auto`: " in found.output
    assert found.output.count("\n") == 1


@pytest.mark.skipif(not find_spec("ray"), reason=f"`ray` is not installed: {LANE}")
def test_workers_with_other_plugins_are_refused_by_name() -> None:
    from onlay_train.grid.executors.ending import Refused
    from onlay_train.grid.executors.ray import in_worker, installed

    mine, here = installed(), str(Path.cwd())
    for wanted, folder, said in (
        (mine | {"onlay": "9.9"}, here, f"has `onlay` {mine['onlay']}, and 9.9 hands out"),
        (mine | {"onlay-acme": "1"}, here, "lacks `onlay-acme`, and 1 hands out the cells"),
        (mine, "/no/such/folder", "has no folder `/no/such/folder`"),
    ):
        with pytest.raises(Refused) as caught:
            in_worker(wanted, folder, 1, time.sleep, (0,), {})
        assert said in str(caught.value)
