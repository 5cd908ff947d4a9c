"""Users, with what they did and what they chose of something else: each choice is an example."""

import csv
import hashlib
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onlay.data import Splits
from onlay.errors import DataError
from onlay_example_sequence.config import TargetsConfig
from onlay_example_sequence.data import Example, Histories

User = tuple[list[str], list[str]]


def build(config: TargetsConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts of users, drawn by the settings' own seed; labels are all targets.

    Raises:
        DataError: the file cannot be read, a line has no two sides, or a part has no user.
    """
    users = read(config.path)
    random.Random(config.split_seed).shuffle(users)
    validated, tested = (round(len(users) * s) for s in (config.val_size, config.test_size))
    parts = users[validated + tested :], users[:validated], users[validated : validated + tested]
    if not parts[0] or not parts[2]:
        raise DataError(f"`{config.path}` has {len(users)} users, too few to train and test on")
    labels = tuple(sorted({target for _, targets in users for target in targets}))
    facts = {name: input_spec[name] for name in ("vocabulary", "length")}
    train, validation, test = (Histories(examples(part), labels, facts) for part in parts)
    return Splits(
        train=train,
        validation=validation if len(validation) else None,
        test=test,
        labels=labels,
        targets="class",
        preprocessing={"modality": "sequence", **facts},
        digest=hashlib.sha256(json.dumps(parts).encode()).hexdigest(),
    )


def examples(users: list[User]) -> list[Example]:
    return [(items, target) for items, targets in users for target in targets]


def read(path: Path) -> list[User]:
    """Items and targets of each line, which an empty cell divides.

    Raises:
        DataError: names the file, and the line.
    """
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"`{path}` cannot be read as text: {error}") from error
    return [sides(path, number, row) for number, row in enumerate(rows, 1) if any(row)]


def sides(path: Path, number: int, row: list[str]) -> User:
    cells = [cell.strip() for cell in row]
    middle = cells.index("") if "" in cells else len(cells)
    items, targets = cells[:middle], [cell for cell in cells[middle:] if cell]
    if not items or not targets:
        raise DataError(
            f"line {number} of `{path}` is not items, an empty cell, and targets, such as"
            " `tea,milk,,book`"
        )
    return items, targets
