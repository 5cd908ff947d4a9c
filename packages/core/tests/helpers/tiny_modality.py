"""A modality, a backbone and methods that the tests of the command line make up."""

from __future__ import annotations

from typing import Literal

import torch
from safetensors.torch import load_file, save_file

from onlay import adapt
from onlay.errors import DataError
from onlay.settings import Config
from onlay.testing import tiny_backbone

LABELS = ["[red]", "green", "blue"]


class TinyConfig(Config):
    """The tests' backbone."""

    name: Literal["tiny"] = "tiny"
    """This one."""
    seed: int = 0
    """Of its weights."""


class ShiftConfig(Config):
    """The tests' method."""

    name: Literal["shift"] = "shift"
    """This one."""


class SquashConfig(Config):
    """A method that cannot be merged."""

    name: Literal["squash"] = "squash"
    """This one."""


class Shift(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.shift = torch.nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x + self.shift

    def affine(self):
        from onlay.anatomy import Affine

        return Affine(None, self.shift)


class Squash(torch.nn.Module):
    """What no linear map can take up."""

    unfoldable = "it squashes"

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        return torch.tanh(x * self.scale)


def attach(place, config):
    for block in place.blocks:
        place.rewrite(block.site("mlp.in"), Shift(block.width))


def attach_squash(place, config):
    place.rewrite(place.blocks[0].site("mlp.in"), Squash())


def build(config):
    built = tiny_backbone(config.seed)
    built.source = config.model_dump(mode="json")
    return built


def provides(config):
    return frozenset({"sequence", "grid", "class_token", "insertion", "extension"})


def image_of(seed):
    return torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(seed))


def reader(preprocessing):
    def read(path):
        if not path.read_text().strip().isdigit():
            raise DataError(f"`{path}` holds no seed")
        return preprocessing["scale"] * image_of(int(path.read_text()))

    return read


def export(model, path):
    save_file(dict(model.anatomy.trunk()), path)


def read_foreign(path, *, backbone, backbone_out, labels, host):
    model = adapt(backbone or "tiny", "shift", labels=labels or ["0", "1"], host=host)
    tensors = load_file(path)
    with torch.no_grad():
        for parameter in model.adapter.parameters():
            parameter.copy_(tensors["shift"])
    if backbone is None:
        save_file(dict(model.anatomy.trunk()), backbone_out)
    return model


def refusal(result):
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (sentence,) = result.stderr.strip().splitlines()
    return sentence
