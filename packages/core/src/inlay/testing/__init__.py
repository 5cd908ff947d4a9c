"""For authors of plugins: the contracts as checks, and tiny backbones to try things on.

`pip install inlay[testing]` brings pytest. None of this is loaded unless a test asks for it.
"""

from inlay.testing.checking import Broken, Outcome
from inlay.testing.marks import backbone_checks, dataset_checks, method_checks, task_checks
from inlay.testing.suites import run_checks
from inlay.testing.tiny import TinyAnatomy, TinyBackbone, tiny_backbone
from inlay.testing.tiny_points import tiny_points
from inlay.testing.tiny_pyramid import tiny_pyramid

__all__ = [
    "Broken",
    "Outcome",
    "TinyAnatomy",
    "TinyBackbone",
    "backbone_checks",
    "dataset_checks",
    "method_checks",
    "run_checks",
    "task_checks",
    "tiny_backbone",
    "tiny_points",
    "tiny_pyramid",
]
