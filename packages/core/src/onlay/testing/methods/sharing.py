"""One backbone, its adapters and their copies."""

from __future__ import annotations

import copy

import torch

from onlay.errors import AnatomyError
from onlay.testing.case import MethodCase
from onlay.testing.checking import Broken, require
from onlay.testing.states import bits, changed, step, tree


def check_copies_are_independent(case: MethodCase) -> None:
    """`copy.deepcopy` gives a model with the same outputs that shares no tensor and no hook with
    the first, also behind a pass whose inputs require a gradient."""
    model = case.moved()
    inputs, _ = case.batch(model)
    model(inputs.clone().requires_grad_(inputs.is_floating_point()))
    with torch.no_grad():
        before = model(inputs)
        twin = copy.deepcopy(model)
        require(torch.equal(twin(inputs), before), "the copy gives other outputs")
        for parameter in twin.adapter.parameters():
            parameter.add_(1)
        require(torch.equal(model(inputs), before), "changing the copy changes the first")
        if list(twin.adapter.parameters()):
            require(not torch.equal(twin(inputs), before), "the copy acts through the first")


def check_attaching_twice_is_refused(case: MethodCase) -> None:
    """A second adapter under the name of the first is refused in a sentence, and the first is as
    it was."""
    built = case.bare()
    model = case.moved(built)
    inputs, _ = case.batch(model)
    with torch.no_grad():
        before = model(inputs)
        try:
            case.model(built)
        except AnatomyError:
            require(torch.equal(model(inputs), before), "the refusal changed the first adapter")
        else:
            raise Broken("a second adapter under the same name was accepted")


def check_two_adapters_do_not_touch(case: MethodCase) -> None:
    """Two adapters on one backbone give what each gives alone, also after steps of the other."""
    built = case.bare()
    one = case.moved(built, name="one")
    inputs, targets = case.batch(one)
    with torch.no_grad():
        alone = one(inputs)
    two = case.model(built, name="two", seed=1)
    step(two, (inputs, targets), 2)
    with torch.no_grad():
        require(torch.equal(one(inputs), alone), "training the second changes the first")


def check_detach_restores_the_backbone(case: MethodCase) -> None:
    """After training, `detach` gives the backbone back with its modules, hooks, attributes,
    tensors and outputs, bit for bit."""
    built = case.bare()
    backbone, inputs = built.module, built.anatomy.example(2)
    with torch.no_grad():
        outputs = backbone(inputs)
    before, values = tree(backbone), bits(backbone)
    model = case.model(built)
    step(model, case.batch(model), 2)
    require(model.detach() is backbone, "another object is given back")
    require(not (names := changed(values, bits(backbone))), f"{names} changed")
    after = tree(backbone)
    odd = [name or "the backbone" for name in before | after if before.get(name) != after.get(name)]
    require(not odd, f"`{'`, `'.join(odd[:3])}` is left with other hooks, attributes or tensors")
    with torch.no_grad():
        require(torch.equal(backbone(inputs), outputs), "the outputs changed")
