"""Which weights a backbone has: names, shapes and a sample of the values of every tensor.

Of weights, not of bytes: a wider dtype changes no value and so no fingerprint, and a bundle knows
those of its backbone rounded to the narrow ones, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from onlay.bundle.manifest import BackboneRecord

SAMPLES = 4096
"""Values read of each tensor, evenly spaced; all of them where it has fewer."""
NARROW = {"bfloat16": torch.bfloat16, "float16": torch.float16}
"""What a backbone is rounded to, by its name in a manifest."""


def fingerprint(trunk: Mapping[str, Tensor], rounded_to: torch.dtype | None = None) -> str:
    """SHA-256 over the sorted trunk, as hexadecimal digits; the same on every device.

    With `rounded_to` that of `trunk` converted to this dtype.
    """
    digest = hashlib.sha256()
    for name in sorted(trunk):
        tensor = trunk[name].detach()
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(_sample(tensor, rounded_to).numpy().tobytes())
    return digest.hexdigest()


def when_rounded(trunk: Mapping[str, Tensor]) -> dict[str, str]:
    """The fingerprints that the trunk would have in each narrow dtype."""
    return {name: fingerprint(trunk, dtype) for name, dtype in NARROW.items()}


def same_weights(trunk: Mapping[str, Tensor], recorded: BackboneRecord) -> bool:
    """Whether these are the weights that a bundle was trained on, or what is left of them in a
    narrower dtype, or what those were rounded from."""
    now = fingerprint(trunk)
    if now in (recorded.fingerprint, *recorded.fingerprint_rounded.values()):
        return True
    return recorded.fingerprint in when_rounded(trunk).values()


def norm_eps(backbone: nn.Module) -> list[float]:
    """The different `eps` of its norms, which change every answer and no weight."""
    found = (getattr(module, "eps", None) for module in backbone.modules())
    return sorted({eps for eps in found if isinstance(eps, float)})


def narrow_dtype(trunk: Mapping[str, Tensor]) -> str:
    """`bfloat16` or `float16` where a tensor is, else empty."""
    found = {tensor.dtype for tensor in trunk.values()}
    return next((name for name, dtype in NARROW.items() if dtype in found), "")


def _sample(tensor: Tensor, rounded_to: torch.dtype | None) -> Tensor:
    flat = tensor.reshape(-1)
    if flat.numel() > SAMPLES:
        where = torch.linspace(
            0, flat.numel() - 1, SAMPLES, dtype=torch.float64, device="cpu"
        ).long()
        flat = flat[where.to(flat.device)]
    if not flat.is_floating_point():
        return flat.cpu().to(torch.int64)
    return flat.cpu().to(rounded_to or flat.dtype).to(torch.float64)
