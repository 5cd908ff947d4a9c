"""Run files: damaged text, unknown keys, values of the wrong kind."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from fuzzing import cases, made
from fuzzing.cases import Case
from onlay.config import load

_WHOLE = """\
# a run
backbone: onlay_vit_64
method: {name: arc, rank: 4}
task: {name: classification}
data: {name: digits, preprocess: {normalize: half}}
train: {epochs: 2, batch_size: 16, lr: 1e-3, seed: 0, log_every: 5}
out: runs/a
"""


def make(rng: random.Random, folder: Path) -> Case:
    """One file; half of them are given to the command with `--dry-run`, too."""
    path = folder / "run.yaml"
    told, content = rng.choice([_edited, _edited, _damaged, _hostile])(rng)
    path.write_bytes(content)
    return Case(told, lambda: read(path), lambda got: holds(_plain(content), got))


def read(path: Path) -> dict[str, Any]:
    """The complete configuration."""
    return load(path, (), made.host()).model_dump(mode="json")


def _plain(content: bytes) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(content.decode()) or {}
    except (YAMLError, ValueError, RecursionError):
        return None


def holds(asked: Any, got: Any) -> bool:
    """Whether all that a file says is in the configuration that came of it."""
    if isinstance(asked, dict) and isinstance(got, dict):
        return all(key in got and holds(value, got[key]) for key, value in asked.items())
    if isinstance(got, dict):  # a short form: a name for a block
        return asked is None or asked in got.values()
    if isinstance(asked, list) and isinstance(got, list):
        return len(asked) == len(got) and all(map(holds, asked, got))
    return asked == got or asked is None or Path(str(asked)) == Path(str(got)) != Path()


_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 3, 10**30, 0.5, float("nan"), float("inf"), "", "arc", "x" * 500,
    "a\0b", "[red]", "../..", [], {}, [1], {"name": "nothing"}, {"name": ["arc"]}, [[["a"]]],
    "1e-3", "no",
)  # fmt: skip
_KEYS = (
    "method",
    "backbone",
    "task",
    "data",
    "train",
    "out",
    "preset",
    "schema_version",
    "plugins",
)


def _edited(rng: random.Random) -> tuple[str, bytes]:
    """A file that is YAML, with one value or key of another kind."""
    tree = copy.deepcopy(YAML(typ="safe", pure=True).load(_WHOLE))
    holder, where = tree, ""
    while rng.random() < 0.6 and (inner := [k for k, v in holder.items() if isinstance(v, dict)]):
        key = rng.choice(inner)
        holder, where = holder[key], f"{where}{key}."
    key = rng.choice([*holder, *holder, *_KEYS, "epocs", "rnak", "name", ""])
    value = rng.choice(_VALUES)
    holder[key] = value
    return f"`{where}{key}`: {str(value)[:40]!r}", _dumped(tree)


def _dumped(tree: Any) -> bytes:
    """JSON is YAML but for the numbers that JSON does not have."""
    text = json.dumps(tree, ensure_ascii=True)
    return text.replace("NaN", ".nan").replace("Infinity", ".inf").encode()


def _damaged(rng: random.Random) -> tuple[str, bytes]:
    how = [cases.truncated, cases.flipped, cases.flipped, cases.zeroed, cases.doubled]
    return rng.choice(how)(rng, _WHOLE.encode())


def _hostile(rng: random.Random) -> tuple[str, bytes]:
    deep = 10 ** rng.randint(2, 5)
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
    )
    options: list[tuple[str, str | bytes]] = [
        ("aliases upon aliases", bomb),
        ("a value that holds itself", "method: &a {name: arc, rank: *a}\n"),
        ("a file that holds itself", "&a [*a]"),
        (f"{deep} brackets", "[" * deep),
        (f"{deep} deep", "method: " + "{a: " * deep + "1" + "}" * deep),
        ("a key twice", _WHOLE + "method: linear\n"),
        ("a tag of Python", "method: !!python/object/apply:os.system [echo]\n"),
        ("an unknown tag", "method: !arc {rank: 3}\n"),
        ("a date", "out: 2026-01-01\nmethod: linear\nbackbone: onlay_vit_64\ndata: digits\n"),
        ("a set", "method: !!set {a, b}\n"),
        ("binary", "method: !!binary aGVsbG8=\n"),
        ("two documents", _WHOLE + "---\n" + _WHOLE),
        ("tabs", _WHOLE.replace("train: {", "train:\n\tepochs: 3\n#")),
        ("a number as key", _WHOLE + "1: 2\n"),
        ("a list as key", _WHOLE + "? [a, b]\n: 2\n"),
        ("a merge", "x: &x {name: arc}\nmethod:\n  <<: *x\n"),
        ("UTF-16", _WHOLE.encode("utf-16")),
        ("latin-1", _WHOLE.replace("a run", "größe").encode("latin-1")),
        ("a byte order mark", b"\xef\xbb\xbf" + _WHOLE.encode()),
        ("nothing", b""),
        ("a word", b"arc"),
        ("random bytes", rng.randbytes(80)),
        ("zeros", bytes(80)),
        ("ten megabytes", b"a: " + b"x" * 10**7),
    ]
    told, content = rng.choice(options)
    return told, content if isinstance(content, bytes) else content.encode()
