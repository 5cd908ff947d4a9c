"""Another process, another device, another program."""

from __future__ import annotations

import torch
from torch import Tensor

from onlay.testing.case import MethodCase
from onlay.testing.checking import require
from onlay.testing.methods.running import CLOSE, close
from onlay.testing.other_process import asked, facts_of
from onlay.testing.registered import not_installed
from onlay.testing.small import TINY, small_backbones
from onlay.testing.states import listed
from onlay.testing.stub_device import StubDevice, there


def not_found_there(case: MethodCase) -> str:
    """Another process finds what is installed, plugin files, and the backbones of the checks."""
    if case.label not in TINY and case.label not in dict(small_backbones(case.method, case.host)):
        return f"another process cannot make {case.label}"
    source = case.host.owner("method", case.method.name).source
    is_file = source.endswith(".py")
    return "" if is_file else not_installed("method", case.method.name, case.host)


def check_another_process_gives_the_same(case: MethodCase) -> None:
    """In another process, whose texts have other hashes, the same seed gives the same parameters in
    the same order and, after a step, the same outputs: nothing depends on the order of a set."""
    ours, theirs = facts_of(case), asked(case)
    odd = [n for n, m in zip(ours.names, theirs.names, strict=False) if n != m]
    odd += [*ours.names[len(theirs.names) :], *theirs.names[len(ours.names) :]]
    require(not odd, f"{listed(odd)} is another parameter in another process")
    for name, got, expected in zip(ours.names, theirs.sums, ours.sums, strict=True):
        same = abs(got - expected) <= CLOSE * max(abs(expected), 1)
        require(same, f"`{name}` has other values in another process")
    got, expected = torch.tensor(theirs.outputs), torch.tensor(ours.outputs)
    close(got, expected, "outputs in another process and in this one")


def check_stays_on_the_device_of_its_inputs(case: MethodCase) -> None:
    """On a device that is not the CPU the model trains and gives the CPU's outputs: modules make
    their tensors where their inputs lie, and hold none that stays behind when they move."""
    here, moved = case.moved(), case.moved()
    inputs, targets = case.batch(here)
    expected = here(inputs)
    with StubDevice() as device:
        there(moved)
        output = moved(device.moved(inputs))
        moved.train().loss((device.moved(inputs), device.moved(targets))).backward()
        left = [n for n, p in moved.trained_parameters().items() if _is_here(p)]
        outputs = device.brought(output)
    require(not left, f"{listed(left)} stays on the CPU when the model is moved")
    close(outputs, expected, "outputs on another device and on the CPU")


def _is_here(parameter: Tensor) -> bool:
    return parameter.device.type == "cpu"


def check_exports_for_any_batch(case: MethodCase) -> None:
    """`torch.export` writes a program that takes batches of any size and gives the model's
    outputs."""
    model = case.moved()
    batch = torch.export.Dim("batch", min=1, max=64)
    with torch.no_grad():
        example = model.anatomy.example(3)
        program = torch.export.export(
            model, (example,), dynamic_shapes=({0: batch},), strict=False
        ).module()
        for size in (2, 5):
            inputs = model.anatomy.example(size)
            worst = (program(inputs) - model(inputs)).abs().max().item()
            require(worst <= CLOSE, f"outputs of {size} inputs differ by {worst:.2g}")
