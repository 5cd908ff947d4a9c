"""What a backbone's checks are given: one of its examples, built."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from onlay.anatomy import Anatomy, Block, BuiltBackbone
from onlay.bundle.fingerprint import fingerprint
from onlay.config import parse
from onlay.descriptors import Backbone, resolve
from onlay.errors import OnlayError
from onlay.host import PluginHost
from onlay.model.assemble import build_backbone
from onlay.settings import Config
from onlay.testing.registered import in_words
from onlay.testing.states import shake


@dataclass(frozen=True, eq=False)
class BackboneCase:
    """An example of a backbone."""

    host: PluginHost
    backbone: Backbone
    settings: Mapping[str, Any]

    def __str__(self) -> str:
        return in_words(self.backbone.name, self.settings)

    @property
    def first(self) -> bool:
        """Whether this is the first example."""
        return self.settings == self.backbone.examples[0]

    @cached_property
    def config(self) -> Config:
        return parse("backbone", {"name": self.backbone.name, **self.settings}, self.host)

    @cached_property
    def _made(self) -> tuple[BuiltBackbone, str]:
        built = self.again()
        made = fingerprint(built.anatomy.trunk())
        shake(built.module.parameters(), 0.1)
        built.module.eval().requires_grad_(False)
        return built, made

    @property
    def built(self) -> BuiltBackbone:
        """In evaluation mode, parameters away from ones and zeros; whoever changes it takes a
        `copied` one."""
        return self._made[0]

    @property
    def fingerprint(self) -> str:
        """Of the weights as they were built."""
        return self._made[1]

    @property
    def anatomy(self) -> Anatomy:
        return self.built.anatomy

    @cached_property
    def said(self) -> frozenset[str]:
        """What the descriptor says of these settings, told without building."""
        return resolve(self.backbone.provides)(self.config)

    @property
    def values(self) -> str:
        """What its inputs hold, as the modality says where it is installed."""
        modality = self.host.modalities.get(self.backbone.modality)
        return modality.values if modality else "real"

    @property
    def ends(self) -> list[Block]:
        """The first and the last block."""
        blocks = self.anatomy.blocks
        return blocks[:1] + blocks[1:][-1:]

    def again(self, seed: int = 0) -> BuiltBackbone:
        """As the plugin builds it."""
        torch.manual_seed(seed)
        return build_backbone(self.config, self.host)

    def copied(self) -> BuiltBackbone:
        return copy.deepcopy(self.built)

    def inputs(self, batch: int = 2) -> Tensor:
        """Random inputs, always the same, no two alike."""
        return self.anatomy.example(batch)


def backbone_cases(name: str, host: PluginHost) -> list[BackboneCase]:
    """One for each of the backbone's `examples`."""
    backbone = host.find("backbone", name)
    if not backbone.examples:
        raise OnlayError(
            f"the backbone `{name}` declares no `examples`: settings of small networks, without"
            " pretrained weights, to check it with"
        )
    return [BackboneCase(host, backbone, settings) for settings in backbone.examples]
