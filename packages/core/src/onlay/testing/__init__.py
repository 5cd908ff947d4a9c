"""For authors of plugins: the contracts as checks, and tiny backbones to try things on.

The extra `testing` brings pytest. None of this is loaded unless a test asks for it.
"""

from onlay.testing.checking import Broken, Outcome
from onlay.testing.marks import (
    backbone_checks,
    dataset_checks,
    decoder_checks,
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
    "method_checks",
    "optimizer_checks",
    "protocol_checks",
    "run_checks",
    "task_checks",
    "tiny_backbone",
    "tiny_points",
    "tiny_pyramid",
]
