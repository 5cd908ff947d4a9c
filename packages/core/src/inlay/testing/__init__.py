"""For authors of plugins: the contracts as checks, and tiny backbones to try things on.

`pip install inlay[testing]` brings pytest. None of this is loaded unless a test asks for it.
"""

from inlay.testing.checking import Broken, Outcome
from inlay.testing.marks import method_checks
from inlay.testing.suites import run_checks
from inlay.testing.tiny import TinyAnatomy, TinyBackbone, tiny_backbone
from inlay.testing.tiny_points import tiny_points
from inlay.testing.tiny_pyramid import tiny_pyramid

__all__ = [
    "Broken",
    "Outcome",
    "TinyAnatomy",
    "TinyBackbone",
    "method_checks",
    "run_checks",
    "tiny_backbone",
    "tiny_points",
    "tiny_pyramid",
]
