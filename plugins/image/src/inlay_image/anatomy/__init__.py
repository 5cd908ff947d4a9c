"""Where Inlay's sites lie in timm's transformers."""

from inlay_image.anatomy.dissect import SUPPORTED, dissect

__all__ = ["SUPPORTED", "dissect"]
