"""Which weights a backbone has: names, shapes and a sample of the values of every tensor."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

SAMPLES = 4096
"""Values read of each tensor, evenly spaced; all of them where it has fewer."""


def fingerprint(trunk: Mapping[str, Tensor]) -> str:
    """SHA-256 over the sorted trunk, as hexadecimal digits; the same on every device."""
    digest = hashlib.sha256()
    for name in sorted(trunk):
        tensor = trunk[name].detach()
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(_sample(tensor).numpy().tobytes())
    return digest.hexdigest()


def _sample(tensor: Tensor) -> Tensor:
    flat = tensor.reshape(-1)
    if flat.numel() > SAMPLES:
        where = torch.linspace(
            0, flat.numel() - 1, SAMPLES, dtype=torch.float64, device="cpu"
        ).long()
        flat = flat[where.to(flat.device)]
    return flat.cpu().to(torch.float64 if flat.is_floating_point() else torch.int64)
