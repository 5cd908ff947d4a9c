"""Decoders that each break one sentence of the contract, and a healthy one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Literal

import torch
from named_configs import named_config
from torch import Tensor, nn
from torch.nn import functional as F

from onlay import hookimpl
from onlay.descriptors import Decoder
from onlay.settings import Config


class Healthy(nn.Module):
    """Each map projected, brought to the size of the first, and added."""

    def __init__(self, channels: Sequence[int], width: int = 8) -> None:
        super().__init__()
        self.width = width
        self.project = nn.ModuleList(nn.Conv2d(each, width, 1) for each in channels)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return self.joined(maps)

    def joined(self, maps: Sequence[Tensor]) -> Tensor:
        size = maps[0].shape[-2:]
        steps = zip(self.project, maps, strict=True)
        found = [F.interpolate(project(x), size, mode="bilinear") for project, x in steps]
        return torch.stack(found).sum(0)


class Even(Healthy):
    """Pools what it cannot halve."""

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        x = self.joined(maps)
        return F.interpolate(F.max_pool2d(x, 2), scale_factor=2)


class Boastful(Healthy):
    """Its `width` is not that of its map."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__(channels)
        self.width = 16


class Mixing(Healthy):
    """Each image less the mean of all."""

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        x = self.joined(maps)
        return x - x.mean(0, keepdim=True) / 2


class Writing(Healthy):
    """The first map is rectified where it lies."""

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        if not maps[0].requires_grad:
            maps[0].relu_()
        return self.joined(maps)


class Homebound(Healthy):
    """Adds a ramp that lies on the CPU, wherever its maps lie."""

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        x = self.joined(maps)
        return x + torch.linspace(0, 1, x.shape[-1], dtype=x.dtype)


class Single(Healthy):
    """Its scale is a tensor of single precision, whatever it was converted to."""

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return self.joined(maps) * torch.tensor([2.0], dtype=torch.float32)


class Batched(Healthy):
    """A batch norm on a pooled map."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__(channels)
        self.norm = nn.BatchNorm2d(self.width)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        x = self.joined(maps)
        return x + self.norm(x.mean((2, 3), keepdim=True))


class Idle(Healthy):
    """A layer that nothing goes through."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__(channels)
        self.spare = nn.Linear(2, 2)


class Drawing(Healthy):
    """Starts from Python's own generator."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__(channels)
        nn.init.constant_(next(self.project.parameters()), random.random())


class Growing(Healthy):
    """Its width is drawn."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__(channels, 8 + int(100 * torch.rand(1)))


class Forgetful(Healthy):
    """A scale that is in no state."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__(channels)
        self.scale = torch.rand(1).item()

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return self.scale * self.joined(maps)


class Deciding(Healthy):
    """Looks at numbers to decide what to do."""

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return self.joined(maps) if maps[0].sum() < 1e9 else maps[0]


class Undescribed(Config):
    """A field without a docstring."""

    name: Literal["undescribed"] = "undescribed"
    width: int = 8


class Forgotten(Config):
    """A setting that nothing reads."""

    name: Literal["forgotten"] = "forgotten"
    depth: int = 1
    """Nothing."""


class Rounding(Config):
    """A setting that does not come back as it was written."""

    name: Literal["rounding"] = "rounding"
    width: int = 8
    """Channels."""

    def model_post_init(self, context: Any) -> None:
        object.__setattr__(self, "width", self.width + 1)


KINDS: dict[str, tuple[type[Healthy], str]] = {
    "healthy": (Healthy, ""),
    "even": (Even, "makes_one_map_on_any_grid"),
    "boastful": (Boastful, "makes_one_map_on_any_grid"),
    "mixing": (Mixing, "answers_each_image_alone"),
    "writing": (Writing, "leaves_its_maps_as_they_are"),
    "single": (Single, "computes_in_bfloat16"),
    "homebound": (Homebound, "stays_on_the_device_of_its_maps"),
    "batched": (Batched, "trains_on_a_single_image"),
    "idle": (Idle, "every_parameter_gets_a_gradient"),
    "drawing": (Drawing, "starts_alike_under_a_seed"),
    "growing": (Growing, "has_as_many_parameters_under_any_seed"),
    "forgetful": (Forgetful, "state_makes_the_same_map"),
    "deciding": (Deciding, "exports_with_any_batch"),
    "undescribed": (Healthy, "settings_are_described"),
    "forgotten": (Healthy, "every_setting_has_an_effect"),
    "rounding": (Healthy, "settings_round_trip"),
    "unsaid": (Healthy, "says_which_maps_it_reads"),
}
OWN = {"undescribed": Undescribed, "forgotten": Forgotten, "rounding": Rounding}


def build(config: Any, channels: Sequence[int], strides: Sequence[float]) -> nn.Module:
    kind = KINDS[config.name][0]
    return kind(channels, config.width) if hasattr(config, "width") else kind(channels)


@hookimpl
def register_decoders() -> Any:
    for name in KINDS:
        yield Decoder(
            name=name,
            config=OWN.get(name) or named_config(name),
            build=f"{__name__}:build",
            takes=frozenset({"stairs"} if name == "unsaid" else {"one_stride", "pyramid"}),
            levels=2,
            summary="planted",
        )
