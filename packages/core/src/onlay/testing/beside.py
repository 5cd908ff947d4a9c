"""Processes beside this one whose texts have other hashes, and that answer line by line.

Each is started when it is first asked, and ends with this one.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from onlay.descriptors import imported
from onlay.testing.checking import Broken

_LEAVE = 20.0
"""Seconds in which a process ends that is asked nothing more."""


def exchange(answers: str, question: Mapping[str, Any]) -> Any:
    """What the function `answers` (`"module:name"`) gives to a question in its own process.

    Raises:
        Broken: it fails there; says how.
    """
    process = _process(answers)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(question, default=list) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        _process.cache_clear()
        raise Broken("another process ends without an answer")
    told = json.loads(line)
    if "failure" in told:
        raise Broken(f"another process fails: {told['failure']}")
    return told["answer"]


@lru_cache
def _process(answers: str) -> subprocess.Popen[str]:
    ours = os.environ.get("PYTHONHASHSEED", "random")
    environment = {**os.environ, "PYTHONHASHSEED": "1" if ours != "1" else "2"}
    process = subprocess.Popen(
        [sys.executable, "-c", f"from {__name__} import answer_all; answer_all({answers!r})"],
        env=environment | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(_LEAVE)
    except subprocess.TimeoutExpired:
        process.kill()


def answer_all(answers: str) -> None:
    """In the other process: an answer for each line, until there are no more."""
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a plugin prints is no answer, nor what its processes print
    for line in sys.stdin:
        try:
            answer = {"answer": imported(answers)(json.loads(line))}
        except Exception as error:
            answer = {"failure": traceback.format_exception_only(error)[-1].strip()}
        print(json.dumps(answer), file=told, flush=True)
