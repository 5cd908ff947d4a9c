"""A second process whose texts have other hashes, for who asks whether results depend on them.

It is started when it is first asked, answers line by line, and ends with this one.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from onlay.host import PluginHost
from onlay.testing.case import MethodCase
from onlay.testing.checking import Broken
from onlay.testing.small import TINY, small_backbones
from onlay.testing.states import step


@dataclass(frozen=True)
class Facts:
    """Of a model that is made and trained for a step under a seed."""

    names: list[str]
    """What trains, in its order."""
    sums: list[float]
    """Of each parameter's values."""
    outputs: list[float]


def facts_of(case: MethodCase) -> Facts:
    """Those of this process."""
    model = case.model()
    batch = case.batch(model)
    torch.default_generator.manual_seed(7)
    step(model, batch)
    with torch.no_grad():
        outputs = model(batch[0]).flatten().tolist()
    trained = model.trained_parameters()
    return Facts(list(trained), [p.double().sum().item() for p in trained.values()], outputs)


def asked(case: MethodCase) -> Facts:
    """Those of the other process.

    Raises:
        Broken: it fails there; says how.
    """
    source = case.host.owner("method", case.method.name).source
    question = {
        "file": source if source.endswith(".py") else None,
        "name": case.method.name,
        "settings": dict(case.settings),
        "label": case.label,
        "path": sys.path,
        "threads": torch.get_num_threads(),
    }
    answer = _exchange(question)
    if "failure" in answer:
        raise Broken(f"another process fails: {answer['failure']}")
    return Facts(**answer)


def _exchange(question: Mapping[str, Any]) -> dict[str, Any]:
    process = _other()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(question, default=list) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        _other.cache_clear()
        raise Broken("another process ends without an answer")
    return json.loads(line)


@lru_cache
def _other() -> subprocess.Popen[str]:
    ours = os.environ.get("PYTHONHASHSEED", "random")
    environment = {**os.environ, "PYTHONHASHSEED": "1" if ours != "1" else "2"}
    process = subprocess.Popen(
        [sys.executable, "-c", f"from {__name__} import answer_all; answer_all()"],
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
    process.wait()


def answer_all() -> None:
    """In the other process: an answer for each line, until there are no more."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what a plugin prints is no answer
    for line in sys.stdin:
        try:
            answer = asdict(facts_of(_case(json.loads(line))))
        except Exception as error:
            answer = {"failure": traceback.format_exception_only(error)[-1].strip()}
        print(json.dumps(answer), file=answers, flush=True)


def _case(question: Mapping[str, Any]) -> MethodCase:
    sys.path[:] = question["path"]
    torch.set_num_threads(question["threads"])
    host = _host(question["file"])
    method = host.find("method", question["name"])
    settings, label = question["settings"], question["label"]
    if label in TINY:
        return MethodCase(host, method, settings, label, TINY[label])
    of_plugins = dict(small_backbones(method, host))
    return MethodCase(host, method, settings, label, of_plugins[label])


@lru_cache
def _host(file: str | None) -> PluginHost:
    return PluginHost.discover(files=[Path(file)] if file else [])
