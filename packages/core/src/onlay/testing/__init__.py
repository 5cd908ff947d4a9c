"""For authors of plugins: the contracts as checks, and tiny backbones to try things on.

The extra `testing` brings pytest. None of this is loaded unless a test asks for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onlay.testing.checking import Broken, Outcome
    from onlay.testing.marks import (
        backbone_checks,
        dataset_checks,
        decoder_checks,
        executor_checks,
        method_checks,
        optimizer_checks,
        protocol_checks,
        task_checks,
    )
    from onlay.testing.suites import run_checks
    from onlay.testing.tiny import TinyAnatomy, TinyBackbone, tiny_backbone
    from onlay.testing.tiny_points import tiny_points
    from onlay.testing.tiny_pyramid import tiny_pyramid

__all__ = [
    "Broken",
    "Outcome",
    "TinyAnatomy",
    "TinyBackbone",
    "backbone_checks",
    "dataset_checks",
    "decoder_checks",
    "executor_checks",
    "method_checks",
    "optimizer_checks",
    "protocol_checks",
    "run_checks",
    "task_checks",
    "tiny_backbone",
    "tiny_points",
    "tiny_pyramid",
]

_HOMES = {
    "checking": ("Broken", "Outcome"),
    "suites": ("run_checks",),
    "tiny": ("TinyAnatomy", "TinyBackbone", "tiny_backbone"),
    "tiny_points": ("tiny_points",),
    "tiny_pyramid": ("tiny_pyramid",),
}
"""Module -> what it holds; everything else is in `marks`."""


def __getattr__(name: str) -> Any:  # so that who asks for a part of it does not import torch
    if name not in __all__:
        raise AttributeError(f"module `onlay.testing` has no attribute `{name}`")
    home = next((module for module, names in _HOMES.items() if name in names), "marks")
    return getattr(import_module(f"onlay.testing.{home}"), name)
