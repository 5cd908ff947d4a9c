"""What a report was made of: while that is as it was, the report that lies there is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onlay_train.grid.plan import Plan


def made_of(plan: Plan) -> str:
    """A digest of the grid, of the cells' ends as files, and of this version of onlay-train: cells
    may be copied from another machine, and what a report says may be asked for in another way."""
    told = {
        "onlay-train": version("onlay-train"),
        "grid": plan.grid.model_dump(mode="json"),
        "facts": sorted(plan.known.items()),
        "ends": [end for cell in plan.everything() for end in _ends(plan.folder(cell).path)],
    }
    return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()


def _ends(folder: Path) -> Iterator[Sequence[str | int]]:
    for name in ("summary.json", "error.json"):
        with suppress(OSError):
            file = (folder / name).stat()
            yield folder.name, name, file.st_size, file.st_mtime_ns
