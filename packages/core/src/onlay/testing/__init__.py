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
    from onlay.testing.points import tiny_points
    from onlay.testing.pyramid import tiny_pyramid
    from onlay.testing.suites import run_checks
    from onlay.testing.tiny import TinyAnatomy, TinyBackbone, tiny_backbone

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
    "points": ("tiny_points",),
    "pyramid": ("tiny_pyramid",),
}
"""Module -> what it holds; everything else is in `marks`. No module is called as a part is: once it
is imported, it would stand for the part."""


def __getattr__(name: str) -> Any:  # so that who asks for a part of it does not import torch
    if name not in __all__:
        raise AttributeError(f"module `onlay.testing` has no attribute `{name}`")
    home = next((module for module, names in _HOMES.items() if name in names), "marks")
    return getattr(import_module(f"onlay.testing.{home}"), name)
