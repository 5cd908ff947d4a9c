"""The anatomy of Point-MAE and its relatives: group tokens behind a class token, no grid.

Shapes: B batch, N points, G groups, T tokens, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from onlay.anatomy import Anatomy, GivenTo, InputOf, ModuleTarget, OutputOf, Site, Stage, Undo
from onlay.anatomy.examples import normal_like
from onlay.anatomy.levels import recorded
from onlay.features import Features, Points
from onlay_pointcloud.anatomy.block import dissect_block
from onlay_pointcloud.anatomy.inputs import as_clouds
from onlay_pointcloud.backbones.traits import TRAITS
from onlay_pointcloud.network.point_mae import PointMae

_MAXIMUM = (
    "the maximum over each group lies before this tensor, and only scales that are not negative"
    " pass it"
)
_GIVEN = "no weight writes the points that the network is given"


def dissect(model: PointMae, *, npoints: int, freeze_bn: bool = True) -> PointAnatomy:
    """The anatomy of a `PointMae` or `ReCon`, which is shown clouds of `npoints` points."""
    width = model.norm.normalized_shape[0]
    blocks = [dissect_block(block, index, width) for index, block in enumerate(model.blocks.blocks)]
    has_class_token = "cls" in model.prefixes
    return PointAnatomy(
        model,
        stages=[Stage(0, width, blocks)],
        sites={site.name: site for site in _whole(model, width)},
        provides=TRAITS | ({"class_token"} if has_class_token else set()),
        prefix=len(model.prefixes),
        class_token=(model, "cls_token") if has_class_token else None,
        class_position=(model, "cls_pos") if has_class_token else None,
        pooled_width=width * (len(model.prefixes) + 1),
        freeze_bn=freeze_bn,
        embedders={
            "tokens": model.encoder,
            "tokens.first": model.encoder.first_conv,
            "position": model.pos_embed,
        },
        patches=model.group.groups,
        kept_beside=(model.group,),
        skipped=(model.encoder,),
        settings={"position": (model.blocks, "position"), "last_norm": (model, "last_norm")},
        unfit={
            "class_token": "it was built with `class_token: false`",
            "grid": "groups of points lie on no grid",
            "hierarchical": "all of its blocks have one width",
        },
        npoints=npoints,
    )


def _whole(model: PointMae, width: int) -> list[Site]:
    norm = ModuleTarget(model.norm, diagonal=True)
    return [
        Site("input", "input", 3, GivenTo(model.group), unfoldable=_GIVEN),
        _embed_out(model, width),
        _position_out(model, width),
        Site("tokens.in", "tokens.in", width, InputOf(model.blocks)),
        Site("norm.out", "norm.out", width, OutputOf(model.norm), writer=norm),
    ]


def _embed_out(model: PointMae, width: int) -> Site:
    """Group tokens; a linear map writes them, or a convolution with a maximum behind it."""
    port = OutputOf(model.reduce_dim)
    if isinstance(model.reduce_dim, nn.Linear):
        return Site("embed.out", "embed.out", width, port, writer=ModuleTarget(model.reduce_dim))
    writer = ModuleTarget(model.encoder.second_conv[-1], pooled=True)
    return Site("embed.out", "embed.out", width, port, writer=writer, unfoldable=_MAXIMUM)


def _position_out(model: PointMae, width: int) -> Site:
    """Of the groups alone; the learned tokens of pretraining have positions of their own."""
    writer = ModuleTarget(model.pos_embed[-1])
    return Site("position.out", "position.out", width, OutputOf(model.pos_embed), writer=writer)


@dataclass(eq=False)
class PointAnatomy(Anatomy):
    """Group tokens are always the last G tokens."""

    model: Any  # a `PointMae`; mutable fields of dataclasses keep their type
    npoints: int = 1024
    centres: Tensor | None = None
    """(B, G, 3) of the current (or last) input."""

    @property
    def insertion_point(self) -> int:
        """Right after the learned tokens of pretraining."""
        return self.prefix

    def prepared(self, inputs: Tensor) -> Tensor:
        """Coordinates stay as they are; the network rounds what it has grouped.

        Raises:
            DataError: no batch of clouds.
        """
        return as_clouds(inputs)

    def encode(self, inputs: Tensor, *, inserted: int = 0, levels: Sequence[int] = ()) -> Features:
        patches_BGK3, centres_BG3 = self.model.group(inputs[..., :3])
        self._note(centres_BG3)
        with recorded(self.blocks, levels) as outputs:
            x_BTD = self.model.forward_groups(patches_BGK3, centres_BG3)
        return self._features(x_BTD, inserted, inputs, [outputs[level] for level in levels])

    def follow(self) -> list[Undo]:
        return [self.model.group.register_forward_hook(self._see)]

    def _see(
        self, group: nn.Module, args: tuple[Tensor, ...], found: tuple[Tensor, Tensor]
    ) -> None:
        self._note(found[1])

    def _note(self, centres_BG3: Tensor) -> None:
        self.centres = centres_BG3.detach()  # with a graph behind it no model could be copied

    def layout(self, block: int, *, inserted: int = 0) -> Points:
        assert self.centres is not None, "nothing was encoded yet"
        return Points(self.centres, prefix=self.prefix + inserted)

    def example(self, batch: int = 1) -> Tensor:
        return normal_like(self.model.norm.weight, batch, self.npoints, 3).float()

    def make_room(self, block: int, count: int) -> list[Undo]:
        return []  # positions are widened by the network itself

    def trunk(self) -> dict[str, Tensor]:
        return self.model.state_dict()

    def _features(
        self, x_BTD: Tensor, inserted: int, inputs: Tensor, levels: Sequence[Tensor]
    ) -> Features:
        prefix, groups = self.prefix, self.model.group.groups
        patches_BGD = x_BTD[:, -groups:]
        pooled = torch.cat([x_BTD[:, :prefix].flatten(1), patches_BGD.amax(1)], dim=1)
        return Features(
            cls=x_BTD[:, 0] if self.class_token is not None else None,
            prompts=x_BTD[:, prefix : prefix + inserted],
            patches=patches_BGD,
            layout=self.layout(len(self.blocks), inserted=inserted),
            pooled=pooled,
            levels=[self.model.normed(x[:, -groups:]).transpose(1, 2) for x in levels],
            inputs=inputs,
        )
