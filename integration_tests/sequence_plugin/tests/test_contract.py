"""Backbone, task and data set keep every promise that Onlay asks of them, and methods that know
nothing of sequences keep theirs on this backbone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from onlay import PluginHost
from onlay.anatomy import BuiltBackbone
from onlay.config import parse
from onlay.model.assemble import build_backbone
from onlay.testing import backbone_checks, dataset_checks, task_checks
from onlay.testing.case import MethodCase
from onlay.testing.methods import METHOD_CHECKS

HOST = PluginHost.discover()
METHODS = [name for name in ("bitfit", "lora", "arc", "peft") if name in HOST.methods]


@backbone_checks("small_sequence")
def test_backbone(check: Callable[[], None]) -> None:
    check()


@task_checks("next_item")
def test_task(check: Callable[[], None]) -> None:
    check()


@dataset_checks("histories")
def test_data_set(check: Callable[[], None]) -> None:
    check()


def made() -> BuiltBackbone:
    settings = {"name": "small_sequence", "width": 16, "items": 20, "length": 8}
    return build_backbone(parse("backbone", settings, HOST), HOST)


@pytest.mark.parametrize("name", METHODS)
def test_methods_on_this_backbone(name: str) -> None:
    method = HOST.find("method", name)
    case = MethodCase(HOST, method, method.examples[0], "a small sequence network", made)
    alone = [check for check in METHOD_CHECKS if check.tried != "together"]  # not of all settings
    for run in [partial(check.run, [case]) for check in alone]:
        run()
