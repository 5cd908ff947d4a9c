"""Tables of pictures and labels, as spreadsheets, pandas and people write them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from fuzzing import cases, made
from fuzzing.cases import Case
from onlay.config import parse

NAMES = ("cat", "dog")
EACH = 6

Rows = list[dict[str, str]]


def make(rng: random.Random, folder: Path) -> Case:
    """A table of twelve pictures of two classes, perhaps with parts, perhaps damaged."""
    rows = _rows(rng, folder)
    how = rng.choice([_plain, _plain, _doubtful, _broken])
    told, content, right = how(rng, rows)
    (path := folder / "table.csv").write_bytes(content)
    return Case(told, lambda: labels(path), (lambda got: got == right) if right else None)


def labels(path: Path) -> dict[str, int]:
    """How many pictures of each class a table gives, over all parts."""
    host = made.host()
    config = parse("dataset", {"name": "image_csv", "path": str(path)}, host)
    splits = host.load("dataset", "image_csv", "build")(
        config, made.image_model().built.input_spec, 0
    )
    counts: Mapping[str, Mapping[str, int]] = splits.facts["counts"]
    return {label: sum(part.get(label, 0) for part in counts.values()) for label in splits.labels}


def _rows(rng: random.Random, folder: Path) -> Rows:
    """The pictures, each other than the others, and their rows in any order."""
    parts = ["train", "train", "train", "train", "val", "test"]
    rows = []
    for label in NAMES:
        for number in range(EACH):
            name = f"{label}{number}.png"
            noise = np.random.default_rng(rng.getrandbits(32)).integers(0, 256, (8, 8, 3))
            Image.fromarray(noise.astype(np.uint8)).save(folder / name)
            rows.append({"path": name, "label": label, "split": parts[number]})
    rng.shuffle(rows)
    return rows


Made = tuple[str, bytes, dict[str, int] | None]
"""What was done in words, the file, and the right classes, `None` where there are none."""


def _text(rows: Rows, columns: list[str], sign: str = ",", end: str = "\n") -> str:
    lines = [columns, *([row[c] for c in columns] for row in rows)]
    return "".join(sign.join(line) + end for line in lines)


def _plain(rng: random.Random, rows: Rows) -> Made:
    """Every way of writing the same table that a reader of tables knows."""
    columns = ["path", "label", *(["split"] if rng.random() < 0.5 else [])]
    rng.shuffle(columns)
    sign, end = rng.choice([",", ";", "\t"]), rng.choice(["\n", "\r\n"])
    code = rng.choice(["utf-8", "utf-8-sig"])
    did = rng.choice(["nothing", "blanks", "quotes", "spelling", "part names", "an empty line"])
    changed = [_rewritten(rng, row, did) for row in rows]
    text = _text(changed, columns, sign, end) + end * (did == "an empty line")
    told = f"{sign!r}, {end!r}, {code}, {', '.join(columns)}, {did}"
    return told, text.encode(code), dict.fromkeys(NAMES, EACH)


_PART_NAMES = {"train": ["Train", "training"], "val": ["Valid", "dev"], "test": ["TEST", "testing"]}


def _rewritten(rng: random.Random, row: dict[str, str], did: str) -> dict[str, str]:
    if did == "blanks":
        return row | {"label": f" {row['label']} "}
    if did == "quotes":
        return {name: f'"{value}"' for name, value in row.items()}
    if did == "spelling":
        return row | {"path": f"./{row['path']}"}
    if did == "part names":
        return row | {"split": _PART_NAMES[row["split"]][rng.random() < 0.5]}
    return row


def _doubtful(rng: random.Random, rows: Rows) -> Made:
    """What may be read in two ways is not read."""
    changes: list[tuple[str, dict[str, str]]] = [
        ("a label in another case", {"label": "Cat"}),
        ("an empty label", {"label": ""}),
        ("a label of blanks", {"label": "  "}),
        ("`nan` for a label", {"label": "nan"}),
        ("`NaN` for a label", {"label": "NaN"}),
        ("an unknown part", {"split": "later"}),
        ("an empty part", {"split": ""}),
        ("an empty path", {"path": ""}),
        ("a picture that is not there", {"path": "nowhere.png"}),
        ("a path with NUL", {"path": "a\0b.png"}),
        ("a path that is too long", {"path": "a" * 300 + ".png"}),
        ("a folder", {"path": "."}),
    ]
    told, change = rng.choice(changes)
    at = rng.randrange(len(rows))
    changed = [row | change if i == at else row for i, row in enumerate(rows)]
    return told, _text(changed, ["path", "label", "split"]).encode(), None


def _broken(rng: random.Random, rows: Rows) -> Made:
    whole = _text(rows, ["path", "label", "split"])
    return rng.choice(
        [
            ("empty", b"", None),
            ("a header alone", b"path,label,split\n", None),
            ("no column `label`", whole.replace("label", "odour", 1).encode(), None),
            ("no column `path`", whole.replace("path", "weight", 1).encode(), None),
            ("one column twice", whole.replace("split", "label", 1).encode(), None),
            ("an open quote", whole.replace("cat", '"cat', 1).encode(), None),
            ("bytes that are no text", whole.encode() + b"\xff\xfe\xfa,cat,train\n", None),
            ("zeros", bytes(200), None),
            ("a row of one column", (whole + "alone.png\n").encode(), None),
            ("a row of nine columns", (whole + "a.png,cat,train" + ",x" * 6 + "\n").encode(), None),
            ("a field of a megabyte", (whole + "a" * 2**20 + ",cat,train\n").encode(), None),
            ("random bytes", cases.noise(rng, whole.encode() + b"x")[1][:97], None),
        ]
    )  # fmt: skip
