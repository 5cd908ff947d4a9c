"""What a backbone gives to a head."""

from __future__ import annotations

import torch
from torch import Tensor

from onlay.anatomy import Anatomy, OutputOf
from onlay.features import Features, map_of
from onlay.testing.backbones.case import BackboneCase
from onlay.testing.backbones.watching import encoded, first_of, outputs_of, trace, undone
from onlay.testing.checking import require
from onlay.testing.states import apart, bits, changed, listed, strided
from onlay.testing.stub_device import StubDevice, there

CLOSE = 1e-5
ROUNDED = 0.2
"""How far bfloat16 may be off, relative to the largest value."""


def check_example_is_of_the_networks_kind(case: BackboneCase) -> None:
    """`example(batch)` gives as many inputs, no two alike, always the same, on the device of the
    network, in its dtype or, where the modality has ids, as int64, and moves nobody's random
    numbers."""
    anatomy = case.anatomy  # building it may draw
    before = torch.get_rng_state()
    inputs, again = anatomy.example(3), anatomy.example(3)
    require(torch.equal(torch.get_rng_state(), before), "it draws from torch's generator")
    require(len(inputs) == 3, f"three inputs are {tuple(inputs.shape)}")
    require(torch.equal(inputs, again), "two examples differ")
    require(not torch.equal(inputs[0], inputs[1]), "its inputs are all alike")
    weight = next(case.built.module.parameters())
    wanted = torch.int64 if case.values == "ids" else weight.dtype
    require((inputs.dtype, inputs.device) == (wanted, weight.device), "dtype or device")


def check_encodes_with_its_own_forward_pass(case: BackboneCase) -> None:
    """In `encode` every block is given what it is given where the network is called by itself."""
    inputs = case.inputs()
    tensors = trace(case.anatomy, inputs).tensors
    alone: dict[int, Tensor] = {}
    handles = [
        block.module.register_forward_pre_hook(
            lambda module, args, kwargs, i=block.index: alone.update({i: first_of(args, kwargs)}),
            with_kwargs=True,
        )
        for block in case.anatomy.blocks
    ]
    try:
        with torch.no_grad():
            case.built.module(inputs)
    finally:
        undone([*handles])
    for index, given in alone.items():
        require(torch.equal(given, tensors[f"> {index}"]), f"block {index} is given another tensor")
    require(len(alone) == len(case.anatomy.blocks), f"only the blocks {sorted(alone)} are called")


def check_features_have_their_shapes(case: BackboneCase) -> None:
    """`cls` (B, D) is there where `class_token` is provided, and only there; `prompts` (B, 0, D);
    `patches` (B, N, D), as many as the layout counts; `pooled` (B, `pooled_width` or D); `inputs`
    are what was encoded."""
    inputs = case.inputs()
    with torch.no_grad():
        features = case.anatomy.encode(inputs)
    batch, width = len(inputs), features.patches.shape[-1]
    has = "class_token" in case.anatomy.provides
    require((features.cls is not None) == has, "`cls` and the trait `class_token` disagree")
    expected = {
        "cls": (batch, width),
        "prompts": (batch, 0, width),
        "patches": (batch, features.layout.count, width),
        "pooled": (batch, case.anatomy.pooled_width or width),
    }
    for name, tensor in outputs_of(features).items():
        found = tuple(tensor.shape)
        require(found == expected[name], f"`{name}` is {found} and should be {expected[name]}")
        require(bool(tensor.isfinite().all()), f"`{name}` is not finite")
    require(not features.levels, "levels are given that nobody asked for")
    require(features.inputs is inputs, "`inputs` are not what was encoded")


def check_features_leave_the_last_norm(case: BackboneCase) -> None:
    """Where there is a site `norm.out`, `patches` are the last tokens that leave it and `cls` is
    the first."""
    if "norm.out" not in case.anatomy.sites:
        return
    seen = trace(case.anatomy, case.inputs())
    assert seen.features is not None
    tokens = seen.tensors["norm.out"]
    tokens = tokens.flatten(1, 2) if tokens.ndim == 4 else tokens
    patches, cls = seen.features.patches, seen.features.cls
    require(torch.equal(tokens[:, -patches.shape[1] :], patches), "`patches` are other tensors")
    require(cls is None or torch.equal(tokens[:, 0], cls), "`cls` is another tensor")


def check_levels_are_what_blocks_put_out(case: BackboneCase) -> None:
    """Levels that are asked for come in the order asked: each block's own patches as a map
    (B, D, H, W), or its groups (B, D, G) after the last norm."""
    asked = [block.index for block in reversed(case.ends)]
    inputs = case.inputs()
    seen = trace(case.anatomy, inputs)
    with torch.no_grad():
        features = case.anatomy.encode(inputs, levels=asked)
        require(len(features.levels) == len(asked), f"{len(features.levels)} levels come")
        for index, level in zip(asked, features.levels, strict=True):
            expected = _level(case.anatomy, seen.tensors[f"< {index}"], features, index)
            if expected is not None:
                require(
                    apart(level, expected) <= CLOSE,
                    f"level {index}, {tuple(level.shape)}, is not what block {index} puts out",
                )
    again = encoded(case.anatomy, inputs)
    for name, tensor in outputs_of(features).items():
        require(torch.equal(tensor, again[name]), f"asking for levels changes `{name}`")


def _level(anatomy: Anatomy, x: Tensor, features: Features, index: int) -> Tensor | None:
    """From what a block puts out; none where the last norm is not a module of its own."""
    count, grid = anatomy.layout(index).count, map_of(anatomy.layout(index))
    if grid is not None:
        rows = x.flatten(1, 2) if x.ndim == 4 else x
        return rows[:, -count:].transpose(1, 2).unflatten(2, grid)
    if index == len(anatomy.blocks) - 1:
        return features.patches.transpose(1, 2)
    norm = anatomy.sites.get("norm.out")
    if norm is None or not isinstance(norm.port, OutputOf):
        return None
    return norm.port.module(x[:, -count:]).transpose(1, 2)


def check_encodes_in_bfloat16(case: BackboneCase) -> None:
    """Converted to bfloat16 it takes inputs in float32, as `prepared` hands them on, and its
    features are finite, in its dtype and near those in float32."""
    inputs, built = case.inputs(), case.copied()
    exact = encoded(case.anatomy, inputs)
    built.module.to(torch.bfloat16)
    found = encoded(built.anatomy, built.anatomy.prepared(inputs))
    for name, tensor in found.items():
        require(tensor.dtype == torch.bfloat16, f"`{name}` is {tensor.dtype}")
        require(bool(tensor.isfinite().all()), f"`{name}` is not finite")
        off = apart(tensor.float(), exact[name])
        require(off < ROUNDED, f"`{name}` is off by {off:.2g} of its size")


def check_encoding_leaves_no_trace(case: BackboneCase) -> None:
    """In evaluation two passes agree bit for bit, draw no random number, and leave parameters and
    buffers as they were."""
    inputs, module = case.inputs(), case.built.module
    before, drawn = bits(module), torch.get_rng_state()
    first, second = encoded(case.anatomy, inputs), encoded(case.anatomy, inputs)
    for name, tensor in first.items():
        require(torch.equal(tensor, second[name]), f"`{name}` differs from pass to pass")
    require(not (names := changed(before, bits(module))), f"{names} changed")
    require(torch.equal(torch.get_rng_state(), drawn), "a random number was drawn")


def check_takes_inputs_that_are_not_contiguous(case: BackboneCase) -> None:
    """Inputs whose axes lie in memory in another order give the same features."""
    inputs = case.inputs()
    expected = encoded(case.anatomy, inputs)
    for name, tensor in encoded(case.anatomy, strided(inputs)).items():
        worst = apart(tensor, expected[name])
        require(worst <= 10 * CLOSE, f"`{name}` is off by {worst:.2g} for such inputs")


def check_stays_on_the_device_of_its_inputs(case: BackboneCase) -> None:
    """On a device that is not the CPU the features are the CPU's: the network and its anatomy make
    their tensors where inputs lie, and hold none that stays behind when the network moves."""
    inputs, built = case.inputs(), case.copied()
    expected = encoded(case.anatomy, inputs)
    with StubDevice() as device:
        there(built.module)
        found = encoded(built.anatomy, device.moved(inputs))
        here = {name: device.brought(tensor) for name, tensor in found.items()}
        stays = [name for name, tensor in found.items() if tensor.device.type == "cpu"]
    require(not stays, f"{listed(stays)} is made on the CPU")
    for name, tensor in here.items():
        off = apart(tensor, expected[name])
        require(off <= CLOSE, f"`{name}` is off by {off:.2g} on another device")


def check_encodes_alike_with_gradients(case: BackboneCase) -> None:
    """In evaluation with gradients switched on, two passes agree bit for bit, draw no random number
    and give what they give without."""
    inputs, drawn = case.inputs(), torch.get_rng_state()
    expected = encoded(case.anatomy, inputs)
    first, second = (outputs_of(case.anatomy.encode(inputs)) for _ in range(2))
    require(torch.equal(torch.get_rng_state(), drawn), "a random number was drawn")
    for name, tensor in first.items():
        require(torch.equal(tensor, second[name]), f"`{name}` differs from pass to pass")
        off = apart(tensor.detach(), expected[name])
        require(off <= CLOSE, f"`{name}` is off by {off:.2g} with gradients on")


def check_inputs_of_a_batch_do_not_touch(case: BackboneCase) -> None:
    """An input alone gives the features that it gives beside others."""
    inputs = case.inputs(3)
    together = encoded(case.anatomy, inputs)
    for index in range(len(inputs)):
        alone = encoded(case.anatomy, inputs[index : index + 1])
        for name, tensor in alone.items():
            worst = apart(tensor[0], together[name][index])
            require(worst <= 10 * CLOSE, f"`{name}` of input {index} moves by {worst:.2g}")
