"""Methods without one of their parts, or with another: the method's fields by a name for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "no-sharing": {"sharing": "none"},
    "one-expert": {"experts": 1},
    "no-prompts": {"prompts": False},
    "no-block-norm": {"block_norm": False},
}
"""Of Adapter-X."""

KERNELS: Mapping[str, Mapping[str, Any]] = {
    "static": {"generator": "static"},
    "conv-pool": {"generator": "conv_pool"},
    "se": {"generator": "se"},
}
"""Of iConFormer: kernels that know no input, and the two other generators."""
