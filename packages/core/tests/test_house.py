"""The files and folders of core, its rooms, stand on floors: no import leads back up."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

import onlay

HOUSE = Path(onlay.__file__).parent
IMPORT = re.compile(r"^ *(?:from|import) onlay(?:\.| import )(\w+)", re.MULTILINE)


def test_no_rooms_import_each_other_in_a_circle_not_even_for_annotations():
    uses: dict[str, set[str]] = {}
    for file in HOUSE.rglob("*.py"):
        path = file.relative_to(HOUSE)
        if "templates" not in path.parts:
            found = IMPORT.findall(file.read_text(encoding="utf-8"))
            uses.setdefault(path.parts[0].removesuffix(".py"), set()).update(found)
    own = {room: others - {room} for room, others in uses.items()}
    assert {"config", "host", "anatomy", "task"} <= own["model"]
    TopologicalSorter(own).prepare()  # a CycleError names the circle
