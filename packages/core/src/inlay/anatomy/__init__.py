"""Backbone anatomy: named sites, and four verbs that act on them."""

from inlay.anatomy.folding import Affine, Refusal
from inlay.anatomy.parts import (
    BLOCK_SITES,
    MODEL_SITES,
    Anatomy,
    Block,
    BuiltBackbone,
    Site,
    Stage,
)
from inlay.anatomy.placement import Placement
from inlay.anatomy.ports import InputOf, OutputOf, Override, ResidualInto, Undo
from inlay.anatomy.replacing import FrozenMap
from inlay.anatomy.targets import FoldTarget, ModuleTarget

__all__ = [
    "BLOCK_SITES",
    "MODEL_SITES",
    "Affine",
    "Anatomy",
    "Block",
    "BuiltBackbone",
    "FoldTarget",
    "FrozenMap",
    "InputOf",
    "ModuleTarget",
    "OutputOf",
    "Override",
    "Placement",
    "Refusal",
    "ResidualInto",
    "Site",
    "Stage",
    "Undo",
]
