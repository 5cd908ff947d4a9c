"""Cells that lie in the folder of a comparison and are none of its grid's: of other versions, of an
earlier grid, of another machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from onlay.errors import ConfigError, RunError
from onlay.machine.disk import writing
from onlay_train.grid.cells import Cell
from onlay_train.grid.facts import FAILED, read_facts, write_facts
from onlay_train.grid.state import CellFolder

if TYPE_CHECKING:
    from onlay_train.grid.plan import Plan


def cells_in(root: Path) -> Iterator[Cell]:
    """Every cell that lies there; a folder that tells nothing is passed over."""
    for path in sorted((root / "cells").glob("*/cell.json")):
        try:
            yield Cell.read(path)
        except (OSError, ValueError):
            continue


def same_but_versions(root: Path) -> dict[str, str]:
    """`Cell.same` -> the folder of a cell that is done; of several that of the newest versions, so
    that seeds are of one, where they can be."""
    done = [cell for cell in cells_in(root) if CellFolder(root, cell.name).state == "done"]
    return {cell.same: cell.name for cell in sorted(done, key=_age)}


def _age(cell: Cell) -> list[tuple[str, Version]]:
    return sorted((name, _version(text)) for name, text in cell.versions.items())


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:  # of a plugin file
        return Version("0")


def counted_of_others(plan: Plan) -> list[str]:
    """With `--accept-versions`: a sentence about the cells of other versions that count."""
    found: dict[str, int] = {}
    for cell in plan.cells() if plan.accepted else ():
        folder = plan.folder(cell)
        if folder.path.name != cell.name:
            made = Cell.read(folder.cell).versions
            told = ", ".join(f"`{n}` {v}" for n, v in made.items() if cell.versions.get(n) != v)
            found[told] = found.get(told, 0) + 1
    return [f"{count} cells were made by other versions ({by})" for by, count in found.items()]


def strangers(plan: Plan) -> list[str]:
    """A sentence about cells that are done, lie in the folder, and are none of the grid's."""
    ours = {plan.folder(cell).path.name for cell in plan.everything()}
    there = (path.parent.name for path in (plan.root / "cells").glob("*/summary.json"))
    count = sum(name not in ours for name in there)
    if not count:
        return []
    return [
        f"{count} cells that are done lie in the folder and do not count: of another grid, of data"
        " or versions that were others, or copied without their `facts.json`"
    ]


def of_other_versions(plan: Plan) -> list[str]:
    """Sentences about cells that are done and do not count: other versions made them."""
    ours = {cell.same: cell for cell in plan.everything() if plan.folder(cell).state != "done"}
    found: dict[str, int] = {}
    for cell in cells_in(plan.root) if ours else ():
        now = ours.get(cell.same)
        if now is not None and cell.name != now.name:
            for name, version in now.versions.items():
                if (then := cell.versions.get(name)) not in (None, version):
                    key = f"`{name}` {then}, and {version} is installed"
                    found[key] = found.get(key, 0) + 1
    return [
        f"{count} cells were made by {what}: they are made anew, or count with `--accept-versions`"
        for what, count in found.items()
    ]


def of_other_schemas(plan: Plan) -> list[str]:
    """A sentence about folders of cells that this version cannot read; those of the grid have the
    names that it gives them, and are not read for it."""
    ours, found = {plan.folder(cell).path.name for cell in plan.everything()}, []
    for path in sorted((plan.root / "cells").glob("*/cell.json")):
        if path.parent.name in ours:
            continue
        try:
            Cell.read(path)
        except (OSError, ValueError):
            found.append(f"`{path.parent.name}`")
    if not found:
        return []
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return [
        f"{len(found)} cells cannot be read, of another version of onlay-train or damaged"
        f" ({', '.join(found[:3])}{more}): they are left as they are, and do not count"
    ]


def add(root: Path, others: Sequence[Path]) -> list[str]:
    """Copy the cells of other folders that are not there yet, or not done; gives their names.

    Raises:
        ConfigError: a folder is no comparison.
        RunError: a cell is being trained, or two folders hold other results of one cell; nothing
            was copied then.
    """
    for other in others:
        if not (other / "cells").is_dir():
            raise ConfigError(f"`{other}` is no folder of a comparison: it has no `cells`")
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
    each = [(cell.name, other) for other in others for cell in cells_in(other)]
    results: dict[str, tuple[Path, str]] = {}
    for name, folder in [*((name, root) for name, _ in each), *each]:
        _check(CellFolder(folder, name), folder, results)
    for other in others:
        own, theirs = (read_facts(each / "facts.json") for each in (root, other))
        known = {key: fact for key, fact in own.items() if not fact.startswith(FAILED)}
        write_facts(root / "facts.json", own | theirs | known)
    return [name for name, other in each if _copied(name, other, root)]


def _check(folder: CellFolder, root: Path, results: dict[str, tuple[Path, str]]) -> None:
    """Whether a cell may be copied, by what was seen of its name elsewhere."""
    name, state = folder.path.name, folder.state
    if state == "running":
        raise RunError(f"cell `{name}` is being trained: wait for its end")
    if state != "done":
        return
    summary = folder.summary()
    scores = {n: f"{v:.6g}" for n, v in summary.metrics.items() if n.endswith(summary.main_metric)}
    told = json.dumps(scores, sort_keys=True)
    other, theirs = results.setdefault(name, (root, told))
    if told != theirs:
        raise RunError(
            f"cell `{name}` has other results in `{root}` than in `{other}`: delete one of the two,"
            " and nothing was added"
        )


def _copied(name: str, other: Path, root: Path) -> bool:
    """What is done wins over what is not."""
    theirs, ours = CellFolder(other, name), CellFolder(root, name)
    if ours.state == "done" or (ours.path.exists() and theirs.state != "done"):
        return False
    with writing(ours.path):
        fresh = ours.path.with_name(f".{name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(theirs.path, fresh)
        shutil.rmtree(ours.path, ignore_errors=True)
        fresh.rename(ours.path)
    return True
