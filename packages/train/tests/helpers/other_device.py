"""Trainings on a device that is not the CPU, without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from onlay.testing.stub_device import NAME, StubDevice
from onlay_train import optimizer


@contextmanager
def on_another_device() -> Iterator[None]:
    """Accelerate finds this device, whose operations refuse tensors of the CPU as CUDA's do.

    As there, a parameter that is moved stays the same object. Fused steps are for true devices.
    """
    device = property(lambda self: torch.device(NAME))
    with pytest.MonkeyPatch.context() as patch, StubDevice():
        patch.setattr(Accelerator, "device", device)
        patch.setattr(AcceleratorState, "device", device, raising=False)
        patch.setattr(optimizer, "_FUSED", frozenset())
        former = torch.__future__.get_swap_module_params_on_conversion()
        torch.__future__.set_swap_module_params_on_conversion(True)
        try:
            yield
        finally:
            torch.__future__.set_swap_module_params_on_conversion(former)
