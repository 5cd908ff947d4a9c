"""`onlay compare` itself, with processes that train."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from click.testing import Result

from onlay.config import load
from onlay.host import PluginHost
from onlay_train.grid.facts import known_all

GRID = """
grid:
  method: [linear, {name: noisy, rank: 1}, {name: noisy, idle: true}]
  train.seed: [0]
controls: [trivial]
base:
  backbone: tiny
  data: stripes
  train: {epochs: 1, batch_size: 4, trackers: [], log_every: 1}
search: {keys: {train.lr: [1e-3, 1e-1, log], method.dropout: [0.1, 0.5]}, trials: 1}
where: {name: local, jobs: 2}
"""


def test_a_grid_is_trained_reported_and_finished(
    onlay_command: Callable[..., Result], tmp_path: Path, host: PluginHost
) -> None:
    """Two methods learn; a third trains nothing that gets a gradient, fails in a sentence, and
    holds nobody up."""
    file, out = tmp_path / "g.yaml", tmp_path / "out"
    file.write_text(GRID)
    words = ("compare", str(file), "--out", str(out))
    dry = onlay_command(*words, "--dry-run", small=False)
    assert "3 cells and 3 trials" in dry.output, dry.output
    assert not out.exists()
    first = onlay_command(*words, small=False)
    assert first.exit_code == 1, first.output
    assert "4 done, 1 failed" in first.output
    assert "failed: noisy(idle=true), 0 trial 0: " in first.output
    data = json.loads((out / "report" / "report.json").read_text())
    assert {method["method"] for method in data["methods"]} == {"linear", "noisy(rank=1)"}
    assert data["trivial"]["stripes"] == {"what": "most frequent class", "score": 30.0}
    assert all("test_top1" in cell["metrics"] for cell in data["cells"])
    trial = next(s for s in data["searches"] if s["method"] == "noisy(rank=1)")
    assert set(trial["chosen"]) == {"train.lr", "method.dropout"}
    cells = {cell["cell"]: cell for cell in data["cells"] if cell["method"] == "noisy(rank=1)"}
    for name in cells:  # the seeds are trained with what the search chose
        config = (out / "cells" / name / "config.yaml").read_text()
        assert f"lr: {trial['chosen']['train.lr']}\n" in config
    assert all(_unseen(out, name) for name in _trials(out))
    known = json.loads((out / "facts.json").read_text())
    for path in out.glob("cells/*/config.yaml"):  # of trials and of cells: other data, other cells
        assert known_all(load(path, (), host=host), known)

    before = _written(out)
    assert onlay_command(*words, small=False).exit_code == 1
    assert _written(out) == before
    status = onlay_command("compare", "status", str(out), small=False)
    assert "4 done, 1 failed" in status.output
    _made_by_another_version(out, cells)
    for words, said in (((), "3 done, 1 failed, 1 waiting"), (("--accept-versions",), "4 done, 1")):
        status = onlay_command("compare", "status", str(out), *words, small=False)
        assert said in status.output
        report = onlay_command("compare", "report", str(out), "--json", *words, small=False)
        assert len(json.loads(report.output)["cells"]) == 1 + bool(words)


def _written(out: Path) -> dict[Path, int]:
    """When cells were done, and facts of data and backbones were read."""
    paths = [*out.rglob("summary.json"), out / "facts.json"]
    return {path: path.stat().st_mtime_ns for path in paths}


def _made_by_another_version(out: Path, names: Iterable[str]) -> None:
    for name in names:
        path = out / "cells" / name
        cell = json.loads((path / "cell.json").read_text()) | {"name": "0" * 12}
        (path / "cell.json").write_text(json.dumps(cell))
        path.rename(path.with_name("0" * 12))


def _trials(out: Path) -> list[str]:
    cells = [json.loads(path.read_text()) for path in out.glob("cells/*/cell.json")]
    return [
        cell["name"]
        for cell in cells
        if cell["trial"] is not None and "idle" not in str(cell["labels"])
    ]


def _unseen(out: Path, name: str) -> bool:
    metrics = json.loads((out / "cells" / name / "summary.json").read_text())["metrics"]
    return not any(key.startswith("test_") for key in metrics)


def test_slips_exit_with_2_and_leave_nothing(
    onlay_command: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "g.yaml"
    for text, words, said in (
        ("grid: {methd: [arc]}", (), "grid.methd: is no field of a run"),
        (GRID, ("--only", "data=x"), "--only: `data` is no axis (have: method, train.seed)"),
        (GRID, ("--only", "method"), "write AXIS=VALUE"),
        (GRID + "\nwher: 1", (), "wher: unknown key; did you mean `where`?"),
        (GRID.replace("local", "flux"), (), "no executor `flux` is"),
    ):
        file.write_text(text)
        found = onlay_command(
            "compare", str(file), "--out", str(tmp_path / "o"), *words, small=False
        )
        assert (found.exit_code, found.output.count("\n")) == (2, 1), found.output
        assert said in found.output
    assert not (tmp_path / "o").exists()
    missing = onlay_command("compare", str(tmp_path / "no.yaml"), small=False)
    assert "there is no configuration file" in missing.output
    early = onlay_command("recommend", str(file), small=False)
    assert (early.exit_code, early.output.count("\n")) == (2, 1)
    assert f"`{Path('compare') / file.stem}` holds no comparison yet" in early.output
