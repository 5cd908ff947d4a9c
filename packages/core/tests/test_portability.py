"""What differs between systems is in `onlay.machine.system` alone; text files say how they are
encoded."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = sorted(
    p for place in ("packages", "plugins") for p in ROOT.glob(f"{place}/*/src/**/*.py")
)
ATTRIBUTES = {
    "fork",
    "kill",
    "killpg",
    "waitpid",
    "sched_getaffinity",
    "uname",
    "getuid",
    "geteuid",
}
SIGNALS = {"SIGKILL", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGALRM", "SIGCHLD", "SIGXFSZ", "alarm"}
MODULES = {"resource", "fcntl", "pwd", "grp", "termios", "msvcrt", "winreg"}
FOLDERS = ("/dev/", "/proc/", "/tmp", "C:\\")


def own_assumptions(tree: ast.AST) -> Iterator[str]:
    """Of the system that it runs on, line by line."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) in {("sys", "platform"), ("os", "name")}:
                yield f"{line}: {node.value.id}.{node.attr}"
            if node.value.id in ("os", "signal") and node.attr in ATTRIBUTES | SIGNALS:
                yield f"{line}: {node.value.id}.{node.attr}"
        if isinstance(node, ast.Import):
            yield from (f"{line}: {a.name}" for a in node.names if a.name in MODULES)
        if isinstance(node, ast.Constant) and str(node.value).startswith(FOLDERS):
            yield f"{line}: {node.value}"


def without_encoding(tree: ast.AST) -> Iterator[str]:
    """Text that is read or written in whatever encoding the system prefers."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or "encoding" in {k.arg for k in node.keywords}:
            continue
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        least = {"read_text": 1, "write_text": 2}.get(method)
        if least is not None and len(node.args) < least:
            yield f"{node.lineno}: {method}"


@pytest.mark.parametrize("question", [own_assumptions, without_encoding])
def test_no_source_assumes_a_system(question: object) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{told}"
        for path in SOURCES
        if path.name != "system.py" and "templates" not in path.parts
        for told in question(ast.parse(path.read_text("utf-8")))
    ]
    assert found == []


def test_the_question_finds_what_it_asks_for() -> None:
    text = "import os, resource\nos.fork()\nopen('/dev/null')\nPath('a').read_text()\n"
    tree = ast.parse(text)
    assert list(own_assumptions(tree)) == ["1: resource", "2: os.fork", "3: /dev/null"]
    assert list(without_encoding(tree)) == ["4: read_text"]
