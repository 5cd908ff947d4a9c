"""For tests of plugins: a tiny backbone that needs neither weights nor timm."""

from inlay.testing.tiny import TinyAnatomy, TinyBackbone, tiny_backbone

__all__ = ["TinyAnatomy", "TinyBackbone", "tiny_backbone"]
