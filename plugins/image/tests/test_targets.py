"""Folding: each target written with a changed map computes what an adapter beside it would."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from onlay.errors import CannotFold
from onlay_image.anatomy import dissect
from onlay_image.anatomy.building import ScaleTarget

Make = Callable[..., nn.Module]


class Mapped:
    """x becomes x M^T + b."""

    def __init__(self, matrix: Tensor, shift: Tensor) -> None:
        self.matrix, self.shift = matrix, shift

    def pipe(self, x: Tensor) -> Tensor:
        return x @ self.matrix.T + self.shift


@torch.no_grad()
def test_readers_take_up_a_map_in_front_of_them(model: nn.Module, images: Tensor) -> None:
    """`attn.in` and `mlp.in`, a matrix without a shift, all blocks."""
    folded, anatomy = copy.deepcopy(model), dissect(model)
    for block, twin in zip(anatomy.blocks, dissect(folded).blocks, strict=True):
        for name in ("attn.in", "mlp.in"):
            matrix = torch.eye(block.width) + 0.05 * torch.randn(block.width, block.width)
            block.site(name).port.install(Mapped(matrix, torch.zeros(())).pipe)
            for reader in twin.site(name).readers:
                weight, shift = reader.read()
                reader.write(weight @ matrix, shift)
    expected = model.forward_features(images)
    torch.testing.assert_close(folded.forward_features(images), expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_writers_take_up_a_map_behind_them(model: nn.Module, images: Tensor) -> None:
    """Sites of the whole and of block 1: a scale and, where it can be stored, a shift."""
    for site in dissect(model).all_sites():
        if site.writer is None or site.path.startswith(("blocks.0", "blocks.2", "blocks.3")):
            continue
        folded = copy.deepcopy(model)
        writer = {s.path: s for s in dissect(folded).all_sites()}[site.path].writer
        scale, shift = 1 + 0.2 * torch.randn(site.width), 0.2 * torch.randn(site.width)
        if site.name == "qkv.out":
            shift[site.width // 3 : 2 * site.width // 3] = 0
        if isinstance(writer, ScaleTarget):
            shift = torch.zeros_like(shift)
        undos = site.port.install(Scaled(scale, shift).pipe)
        expected = model.forward_features(images)
        while undos:
            undos.pop().remove()
        weight, bias = writer.read()
        writer.write(weight * (scale if writer.diagonal else scale[:, None]), bias * scale + shift)
        torch.testing.assert_close(
            folded.forward_features(images),
            expected,
            atol=1e-4,
            rtol=1e-4,
            msg=lambda m, p=site.path: f"{p}: {m}",
        )


class Scaled:
    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        self.scale, self.shift = scale, shift

    def pipe(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift


@pytest.mark.parametrize("name", ["beit", "beit_shared_bias", "eva01"])
@torch.no_grad()
def test_a_shift_of_all_keys_cancels(name: str, make: Make) -> None:
    model, folded = make(name), make(name)
    images = torch.randn(2, 3, *model.patch_embed.img_size)
    site = dissect(model).blocks[0].site("qkv.out")
    shift = torch.randn(site.width)
    site.port.install(Scaled(torch.ones(site.width), shift).pipe)
    writer = dissect(folded).blocks[0].site("qkv.out").writer
    weight, bias = writer.read()
    writer.write(weight, bias + shift)
    expected = model.forward_features(images)
    torch.testing.assert_close(folded.forward_features(images), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["eva02_functional", "swinv2"])
@torch.no_grad()
def test_a_shift_of_keys_that_matters_is_refused_and_nothing_is_written(
    name: str, make: Make
) -> None:
    model = make(name)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    writer = dissect(model).blocks[0].site("qkv.out").writer
    weight, bias = writer.read()
    with pytest.raises(CannotFold, match="no bias for this block's keys"):
        writer.write(weight * 2, bias + 1)
    assert all(torch.equal(model.state_dict()[key], tensor) for key, tensor in before.items())


def test_a_norm_without_bias_takes_a_scale_alone(make: Make) -> None:
    norm = make("vit", norm_layer="rmsnorm").blocks[0].norm1
    target = ScaleTarget(norm)
    weight, shift = target.read()
    target.write(2 * weight, shift)
    torch.testing.assert_close(norm.weight.detach(), 2 * weight)
    with pytest.raises(CannotFold, match="has no bias"):
        target.write(weight, shift + 1)


def test_a_padded_map_is_no_place_to_fold(make: Make) -> None:
    """40 pixels are 10 x 10 patches and 5 x 5 after merging, and windows are of 4 x 4."""
    for name, padded in (("swin", False), ("swinv2", False), ("swin_padded", True)):
        for block in dissect(make(name)).blocks:
            assert ("padded to whole windows" in block.site("attn.in").unfoldable) is padded
            assert (block.site("qkv.out").writer is None) is padded
            assert not block.site("mlp.in").unfoldable
    free = dissect(make("swin", strict_img_size=False))
    assert "input size is free" in free.blocks[0].site("attn.in").unfoldable
