"""What a backbone provides, told from its name alone; the anatomy says it for certain later."""

from __future__ import annotations

import re

from onlay_image.backbones.config import BundledConfig, SmallCnnConfig, TimmConfig

SEQUENCE = frozenset({"sequence", "grid", "insertion", "extension"})
CLASS_TOKEN = frozenset({"class_token"})
HIERARCHICAL = frozenset({"sequence", "grid", "hierarchical"})
CONVOLUTIONAL = frozenset({"grid", "hierarchical"})

_NO_CLASS_TOKEN = re.compile(r"siglip|gap|aimv2")


def provides(config: TimmConfig | BundledConfig | SmallCnnConfig) -> frozenset[str]:
    """The traits of a model, from its name."""
    if isinstance(config, SmallCnnConfig):
        return CONVOLUTIONAL
    if isinstance(config, BundledConfig):
        return SEQUENCE | CLASS_TOKEN
    name = config.model.rpartition("/")[2].partition(".")[0]
    if name.startswith("swin"):
        return HIERARCHICAL
    has_class_token = config.model_kwargs.get("class_token", not _NO_CLASS_TOKEN.search(name))
    return SEQUENCE | CLASS_TOKEN if has_class_token else SEQUENCE
