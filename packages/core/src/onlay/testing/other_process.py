"""What a method does in a process whose texts have other hashes, for who asks whether results
depend on them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from onlay.host import PluginHost
from onlay.testing.beside import exchange
from onlay.testing.case import MethodCase
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
    return Facts(**exchange(f"{__name__}:answer", question))


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """In the other process."""
    return asdict(facts_of(_case(question)))


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
