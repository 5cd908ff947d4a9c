"""Where Onlay's sites lie in timm's transformers."""

from onlay_image.anatomy.dissect import SUPPORTED, dissect

__all__ = ["SUPPORTED", "dissect"]
