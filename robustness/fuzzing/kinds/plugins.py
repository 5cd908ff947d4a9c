"""Installed plugins that are broken in every way: listed with a reason, and all else works."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from fuzzing.cases import Case

_HEAD = """
from typing import Literal
from onlay import hookimpl
from onlay.settings import Config
from onlay.descriptors import Method
class Odd(Config):
    name: Literal["odd"] = "odd"
"""
_METHOD = 'Method(name={name}, config=Odd, attach="nowhere:attach", summary={summary})'


def make(rng: random.Random, folder: Path) -> Case:
    """A distribution on the import path, broken in its code or in its metadata."""
    code, told, healthy = rng.choice([_raises, _raises, _registers, _prints])(rng)
    (folder / "odd_plugin.py").write_text(code, encoding="utf-8")
    info = folder / "onlay_odd-1.0.dist-info"
    info.mkdir()
    damage, files = rng.choice(_METADATA) if healthy or rng.random() < 0.3 else _METADATA[0]
    for name, content in files.items():
        (info / name).write_bytes(content)
    well = ["ok"] * (healthy and damage in _HARMLESS)
    return Case(f"{told}; {damage}", lambda: listed(folder), lambda got: _right(got, well))


def listed(folder: Path) -> list[dict[str, Any]]:
    """What `onlay plugins --json` prints in a process of its own."""
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    ran = subprocess.run(
        [sys.executable, "-m", "onlay", "plugins", "--json"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, (
        f"status {ran.returncode}: {ran.stderr.decode(errors='replace')[-600:]}"
    )
    assert b"\x1b[31m" not in ran.stdout + ran.stderr, "a name colours the terminal"
    return json.loads(ran.stdout)


def _right(rows: list[dict[str, Any]], well: list[str]) -> bool:
    """Ours are well, and the odd one is as it should be; if it is not, there is a reason."""
    others = [row for row in rows if "odd" not in f"{row.get('name')}{row.get('distribution')}"]
    odd = [row for row in rows if row not in others]
    if any(row["status"] != "ok" for row in others) or len(others) < 2:
        return False
    return [row["status"] for row in odd if row["status"] == "ok" or not row["reason"]] == well


Made = tuple[str, str, bool]
"""The code, what it does in words, and whether it is healthy."""

_ERRORS = (
    "KeyboardInterrupt()", "SystemExit(0)", "SystemExit('no licence')", "GeneratorExit()",
    "StopIteration()", "BaseException('a')", "RecursionError()", "MemoryError()", "Silent()",
    "ImportError('no [/b] module')", "UnicodeDecodeError('a', b'b', 0, 1, 'c')",
    "ExceptionGroup('a', [ValueError('b')])", "asyncio.CancelledError()",
    "RuntimeError('two\\nlines \\x1b[31m')", "OSError(2, 'gone', 'file')",
)  # fmt: skip


_SETUP = """
import asyncio
class Silent(Exception):
    def __str__(self): raise TypeError('no text')
"""


def _raises(rng: random.Random) -> Made:
    """At import, in a hook, or half way through what a hook gives."""
    error = rng.choice(_ERRORS)
    where = rng.choice(["import", "hook", "half way"])
    if where == "import":
        return f"{_SETUP}raise {error}\n", f"raises {error} at import", False
    body = f"    raise {error}\n"
    if where == "half way":
        method = _METHOD.format(name="'odd'", summary="'a'")
        body = f"    yield {method}\n{body}"
    hook = f"@hookimpl\ndef register_methods():\n{body}"
    return f"{_HEAD}{_SETUP}{hook}", f"raises {error} in a hook, {where}", False


def _registers(rng: random.Random) -> Made:
    """Descriptors that are none."""
    name = rng.choice(
        ["None", "3", "b'odd'", "''", "' odd '", "'a\\nb'", "'\\x1b[31mred'", "['odd']", "'[/b]'"]
    )
    method = _METHOD.format(name=name, summary="'a'")
    thing = rng.choice([method, method, "'odd'", "None", "Method", "object()"])
    code = f"{_HEAD}@hookimpl\ndef register_methods():\n    yield {thing}\n"
    return code, f"registers {thing[:60]}", False


def _prints(rng: random.Random) -> Made:
    """Healthy ones that talk."""
    talk = rng.choice(
        [
            "print('hello')",
            "import os; os.write(1, b'raw')",
            "import sys; sys.__stdout__.write('x')",
            "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1)'])",
            "pass",
            "import warnings; warnings.warn('old')",
            "import logging; logging.warning('x')",
        ]
    )
    method = _METHOD.format(name="'odd'", summary="'a'")
    code = f"{talk}\n{_HEAD}@hookimpl\ndef register_methods():\n    yield {method}\n"
    return code, f"does `{talk[:50]}`", True


_META = b"Metadata-Version: 2.1\nName: onlay-odd\nVersion: 1.0\nRequires-Dist: onlay>=0.2,<99\n"
_TWICE = "two entry points for one module"
_VERSION = "a version that is none"
_SOUND = "metadata as they should be"
_HARMLESS = (_SOUND, _TWICE, _VERSION)
_POINTS = b"[onlay]\nodd = odd_plugin\n"
_OTHER_METADATA = {
    "a requirement that is none": _META.replace(b">=0.2,<99", b" >>> 3"),
    _VERSION: _META.replace(b"1.0", b"one"),
    "empty metadata": b"",
    "metadata of bytes": bytes(range(256)),
}
_OTHER_POINTS = {
    "entry points that do not parse": b"[onlay\nodd",
    "entry points without a section": b"odd = odd_plugin\n",
    "entry points of bytes": b"[onlay]\nodd = \xff\xfe\n",
    "an entry point that is no path": b"[onlay]\nodd = 1 + 2\n",
    "an entry point without a value": b"[onlay]\nodd =\n",
    _TWICE: _POINTS + b"odd2 = odd_plugin\n",
}
_METADATA: list[tuple[str, dict[str, bytes]]] = [
    (_SOUND, {"METADATA": _META, "entry_points.txt": _POINTS}),
    ("no metadata", {"entry_points.txt": _POINTS}),
    *((n, {"METADATA": c, "entry_points.txt": _POINTS}) for n, c in _OTHER_METADATA.items()),
    *((n, {"METADATA": _META, "entry_points.txt": c}) for n, c in _OTHER_POINTS.items()),
]
