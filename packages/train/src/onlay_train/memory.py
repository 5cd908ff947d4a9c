"""A run's peak memory: the accelerator's where there is one, else the process's resident memory."""

from __future__ import annotations

import torch

from onlay.machine.system import peak_memory, reset_peak_memory


def reset_peak(device: torch.device) -> None:
    """Begin to measure; where a process's peak cannot be forgotten, it counts from its start."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    reset_peak_memory()


def peak_bytes(device: torch.device) -> int:
    """The peak since `reset_peak`."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return peak_memory()
