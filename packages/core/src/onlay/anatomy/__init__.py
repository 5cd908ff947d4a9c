"""Backbone anatomy: named sites, and verbs that act on them."""

from onlay.anatomy.affine import Affine
from onlay.anatomy.bounds import refuse_wider
from onlay.anatomy.folding import Refusal
from onlay.anatomy.parts import (
    BLOCK_SITES,
    MODEL_SITES,
    Anatomy,
    Block,
    BuiltBackbone,
    Site,
    Stage,
)
from onlay.anatomy.placement import Placement
from onlay.anatomy.ports import GivenTo, InputOf, OutputOf, Override, ResidualInto, Undo
from onlay.anatomy.replacing import FrozenMap
from onlay.anatomy.targets import FoldTarget, ModuleTarget

__all__ = [
    "BLOCK_SITES",
    "MODEL_SITES",
    "Affine",
    "Anatomy",
    "Block",
    "BuiltBackbone",
    "FoldTarget",
    "FrozenMap",
    "GivenTo",
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
    "refuse_wider",
]
