"""Cells that lie in the folder of a comparison and are none of its grid's: of other versions, of an
earlier grid, of another machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from onlay.errors import ConfigError, RunError
from onlay.machine.disk import writing
from onlay_train.grid.cells import Cell
from onlay_train.grid.facts import read_facts, write_facts
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
    """`Cell.same` -> the folder of a cell that is done."""
    return {c.same: c.name for c in cells_in(root) if CellFolder(root, c.name).state == "done"}


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


def add(root: Path, others: tuple[Path, ...]) -> int:
    """Copy the cells of other folders that are not there yet, or not done; gives how many.

    Raises:
        ConfigError: a folder is no comparison.
        RunError: two folders hold other results of one cell.
    """
    copied = 0
    for other in others:
        if not (other / "cells").is_dir():
            raise ConfigError(f"`{other}` is no folder of a comparison: it has no `cells`")
        write_facts(
            root / "facts.json", read_facts(other / "facts.json") | read_facts(root / "facts.json")
        )
        copied += sum(_copied(cell, other, root) for cell in cells_in(other))
    return copied


def _copied(cell: Cell, other: Path, root: Path) -> bool:
    """What is done wins over what is not."""
    theirs, ours = CellFolder(other, cell.name), CellFolder(root, cell.name)
    if "running" in (theirs.state, ours.state):
        raise RunError(f"cell `{cell.name}` is being trained: wait for its end")
    if ours.state == "done" or (ours.path.exists() and theirs.state != "done"):
        return False
    with writing(ours.path):
        fresh = ours.path.with_name(f".{cell.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(theirs.path, fresh)
        shutil.rmtree(ours.path, ignore_errors=True)
        fresh.rename(ours.path)
    return True
