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
from onlay.testing import backbone_checks, dataset_checks, method_checks, task_checks
from onlay.testing.case import MethodCase
from onlay.testing.methods import METHOD_CHECKS

HOST = PluginHost.discover()
METHODS = [name for name in ("bitfit", "lora", "arc", "peft") if name in HOST.methods]
CONVOLVED = [name for name in ("bitfit", "peterrec", "adalink") if name in HOST.methods]
SMALL = {
    "small_sequence": {"width": 16, "items": 20, "length": 8},
    "nextitnet": {"width": 16, "items": 20, "length": 8, "dilations": [1, 2]},
}
PAIRS = [("small_sequence", name) for name in METHODS]
PAIRS += [("nextitnet", name) for name in CONVOLVED]


@backbone_checks("small_sequence")
def test_backbone(check: Callable[[], None]) -> None:
    check()


@backbone_checks("nextitnet")
def test_backbone_of_convolutions(check: Callable[[], None]) -> None:
    check()


@method_checks("peterrec")
def test_method(check: Callable[[], None]) -> None:
    check()


@task_checks("next_item")
def test_task(check: Callable[[], None]) -> None:
    check()


@dataset_checks("histories")
def test_data_set(check: Callable[[], None]) -> None:
    check()


@dataset_checks("targets")
def test_data_set_of_targets(check: Callable[[], None]) -> None:
    check()


def made(backbone: str) -> BuiltBackbone:
    return build_backbone(parse("backbone", {"name": backbone, **SMALL[backbone]}, HOST), HOST)


@pytest.mark.parametrize(("backbone", "name"), PAIRS)
def test_methods_on_these_backbones(backbone: str, name: str) -> None:
    method = HOST.find("method", name)
    build = partial(made, backbone)
    case = MethodCase(HOST, method, method.examples[0], f"a small {backbone}", build)
    alone = [check for check in METHOD_CHECKS if check.tried != "together"]  # not of all settings
    for run in [partial(check.run, [case]) for check in alone]:
        run()
