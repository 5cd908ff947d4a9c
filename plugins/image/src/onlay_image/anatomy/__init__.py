"""Where Onlay's sites lie in timm's transformers."""

from onlay_image.anatomy.dissect import FAMILIES, SUPPORTED, dissect

__all__ = ["FAMILIES", "SUPPORTED", "dissect"]
