"""peft's layers at sites of a backbone."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from onlay.anatomy import Affine
from onlay.errors import CannotFold
from onlay_peft.places import layers
from onlay_peft.wrapping import REFUSALS, layers_of, wrapped

if TYPE_CHECKING:
    from onlay.anatomy import Placement
    from onlay_peft.config import PeftMethodConfig

TOLERANCE = 1e-4
"""Largest difference between a layer and its merge, relative to the largest output."""


class Tuned(nn.Module):
    """A layer of peft, whose frozen part is the backbone's and no child of it."""

    def __init__(self, layer: Any, frozen: nn.Module) -> None:
        super().__init__()
        del layer._modules["base_layer"]
        vars(layer)["base_layer"] = frozen
        for part in layer.modules():
            _fix(part)
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)

    @torch.no_grad()
    def affine(self) -> Affine:
        """Weight (out, in), a kernel's dimensions flattened, and bias (out,) of layer and adapter.

        As peft merges them, in float32 or wider on a copy, and compared with what they compute.
        """
        layer = copy.deepcopy(self.layer).eval()
        wide = torch.promote_types(layer.base_layer.weight.dtype, torch.float32)
        layer.to(wide), layer.base_layer.to(wide)
        x = _example(layer.base_layer)
        expected = layer(x)
        try:
            layer.merge(safe_merge=True)
        except REFUSALS as error:
            raise CannotFold(f"peft does not merge it ({error})") from error
        merged = layer.get_base_layer()
        if (merged(x) - expected).abs().max() > TOLERANCE * expected.abs().max().clamp(min=1):
            raise CannotFold("what peft merges is not what the adapter computes")
        return Affine(merged.weight.flatten(1), merged.bias)


def _fix(module: nn.Module) -> None:
    """What a tuner keeps as it draws it (MiCA's B) is a buffer, so that what trains is what is a
    parameter."""
    for name, parameter in list(module._parameters.items()):
        if parameter is not None and not parameter.requires_grad:
            del module._parameters[name]
            module.register_buffer(name, parameter.detach())


def attach(place: Placement, config: PeftMethodConfig) -> None:
    """Let peft wrap the layers that write the sites, in a tree apart, and put its layers there."""
    maps = layers(place.anatomy, config.sites)
    for path, layer in layers_of(wrapped(place.anatomy, config), maps).items():
        place.replace(maps[path], Tuned(layer, maps[path].twin()))


def _example(layer: Any) -> Tensor:
    """Random inputs: 8 tokens, or an image (a sequence) of two kernels in each direction."""
    shape = (8, layer.weight.shape[1])
    if layer.weight.ndim > 2:
        shape = (1, layer.in_channels, *(2 * size for size in layer.kernel_size))
    generator = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=generator).to(layer.weight)
